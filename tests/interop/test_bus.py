"""Hubs over a real Redis, on every transport: who hears what, in which order, and what is refused."""

from __future__ import annotations

import logging
import time
from typing import Any

import anyio
import pytest
import redis
from support.providers import provider
from support.redis_store import Store, joined, store, two_hubs, until
from support.subscribers import Collector
from zope.interface.verify import verifyClass

from highper_http import App, ConfigError, Request, Server
from highper_http.hub import Hub, IBus
from highper_http.hub.redis import RedisBus

__all__ = ["provider", "store"]


def test_it_is_a_bus() -> None:
    """By its interface."""
    assert verifyClass(IBus, RedisBus)


def test_everybody_sees_one_order(provider: Any, store: Store) -> None:
    """Of what two hubs publish at the same time; text as text, bytes as bytes, nothing twice, none from elsewhere."""

    async def main(one: Hub, other: Hub) -> None:
        here, there, elsewhere = await joined(one), await joined(other), await joined(other, "hall")

        async def publish(hub: Hub, name: str) -> None:
            for number in range(300):
                await hub.publish("room", f"{name}{number}" if number % 2 else f"{name}{number}".encode())

        async with anyio.create_task_group() as group:
            group.start_soon(publish, one, "a")
            group.start_soon(publish, other, "b")
        await until(lambda: len(here.taken) == len(there.taken) == 600)
        assert here.taken == there.taken
        assert [text for text in here.texts if text[0] == "a"] == [f"a{number}" for number in range(300)]
        assert {frame[0] for frame in here.taken} == {0x81, 0x82}
        assert elsewhere.taken == []

    two_hubs(provider, store, main)


def test_who_left_is_not_heard_and_who_comes_again_is(provider: Any, store: Store) -> None:
    """However quickly it changes its mind."""

    async def main(one: Hub, other: Hub) -> None:
        collector = Collector()
        for _ in range(5):
            one.join(collector, "room")
            one.leave(collector, "room")
        one.join(collector, "room")
        await one.settled("room")
        await other.publish("room", "a")
        await until(lambda: collector.texts == ["a"])
        one.leave(collector, "room")
        with redis.Redis(port=store.port) as client:
            await until(lambda: client.pubsub_numsub("highper:\0room")[0][1] == 0)
        assert one.topics() == []

    two_hubs(provider, store, main)


def test_many_topics(provider: Any, store: Store) -> None:
    """Joined at once, and again after a gap."""

    async def main(one: Hub, other: Hub) -> None:
        collector, gaps = Collector(), []
        one.on_gap(lambda: gaps.append(1))
        for number in range(2500):
            one.join(collector, f"topic {number}")
        await one.settled("topic 2499")
        store.cut_everybody_off()
        await until(lambda: bool(gaps))
        for number in (0, 1234, 2499):
            await other.publish(f"topic {number}", str(number))
        await until(lambda: collector.texts == ["0", "1234", "2499"])

    two_hubs(provider, store, main)


def test_presence_over_redis(provider: Any, store: Store) -> None:
    """Who is in another process is known, and is known to have gone."""

    async def main(one: Hub, other: Hub) -> None:
        ann, bob = Collector(), Collector()
        one.join(ann, "room", who="ann")
        other.join(bob, "room", who="bob")
        await until(lambda: one.present("room") == other.present("room") == ["ann", "bob"])
        bob.close()
        await until(lambda: one.present("room") == ["ann"])

    two_hubs(provider, store, main, presence=True)


def test_a_hub_lives_with_its_application(provider: Any, store: Store) -> None:
    """It starts and stops with it, and may do so again."""
    hub = Hub(store.bus())

    def application() -> App:
        app = App()
        app.on_startup(hub.start)
        app.on_shutdown(hub.stop)

        @app.get("/")
        async def say(request: Request) -> str:
            await hub.publish("room", "a")
            return "said"

        return app

    async def main(transport: Any) -> None:
        server = Server(application(), host="127.0.0.1", port=0)
        await server.start(transport)
        collector = await joined(hub)
        await hub.publish("room", "a")
        await until(lambda: collector.texts == ["a"])
        collector.close()
        await server.finish()

    provider.run(main)
    provider.run(main)


def test_what_is_no_url_is_refused() -> None:
    """When the bus is made."""
    with pytest.raises(ConfigError, match="URL"):
        RedisBus("http://localhost")


def test_a_topic_that_cannot_be_sent_is_the_callers_fault(provider: Any, store: Store) -> None:
    """The bus goes on."""

    async def main(one: Hub, other: Hub) -> None:
        with pytest.raises(ValueError, match="surrogates"):
            one.join(Collector(), "\ud800")
        with pytest.raises(ValueError, match="surrogates"):
            one.post("\ud800", "x")
        here = await joined(one, "ROOM ∞")
        await other.publish("ROOM ∞", "a")
        await until(lambda: here.texts == ["a"])

    two_hubs(provider, store, main)


def test_hubs_with_another_prefix_hear_nothing(provider: Any, store: Store) -> None:
    """Whatever topics there are: one begins with what the other's prefix ends with."""

    async def main(transport: object) -> None:
        async with Hub(store.bus(prefix="a:")) as one, Hub(store.bus(prefix="a:b:")) as other:
            here, there = await joined(one, "b:room"), await joined(other)
            await one.publish("b:room", "one")
            await until(lambda: here.texts == ["one"])
            await other.publish("room", "other")
            await until(lambda: bool(there.texts))
            assert (here.texts, there.texts) == (["one"], ["other"])
        with pytest.raises(ConfigError, match="NUL"):
            store.bus(prefix="a\0")

    provider.run(main)


def test_others_have_the_loop_between_messages_that_take_long(provider: Any, store: Store) -> None:
    """However many have come at once."""

    async def main(one: Hub, other: Hub) -> None:
        passes, seen = 0, []

        class Slow(Collector):
            def post(self, data: bytes, **options: Any) -> bool:
                time.sleep(0.003)
                seen.append(passes)
                return super().post(data, **options)

        one.join(Slow(), "room")
        await one.settled("room")
        for _ in range(100):
            other.post("room", "x")
        while len(seen) < 100:
            await anyio.sleep(0)
            passes += 1
        assert len(set(seen)) == 100

    two_hubs(provider, store, main)


def test_a_topic_that_may_not_be_published_holds_up_no_other(
    provider: Any, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """What is refused reaches nobody and is told in the log; what is published behind it arrives, on the same line."""
    with redis.Redis(port=store.port) as client:
        client.execute_command("ACL", "SETUSER", "default", "resetchannels", "&highper:?", "&highper:?room")
    gaps: list[int] = []

    async def main(one: Hub, other: Hub) -> None:
        there = await joined(other)
        one.on_gap(lambda: gaps.append(1))
        await one.publish("secret", "a")
        await one.publish("room", "b")
        await until(lambda: there.texts == ["b"])

    with caplog.at_level(logging.WARNING, logger="highper.error"):
        two_hubs(provider, store, main)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "takes nothing under 'secret'" in caplog.text
    assert gaps == []
