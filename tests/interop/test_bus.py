"""Hubs over a real Redis, on every transport: order, gaps, restarts, and what waits meanwhile."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import redis
from http_command import free_port
from support.providers import REAL
from support.subscribers import Collector
from zope.interface.verify import verifyClass

from highper_http import App, ConfigError, Request, Server, StartupFailed
from highper_http.hub import History, Hub, IBus
from highper_http.hub.redis import RedisBus
from highper_http.websocket.backoff import Backoff
from highper_transports.errors import ConnectFailed

QUICK = Backoff(0.05, 1.0, 0.05)


class Store:
    """A Redis that can be stopped, frozen and started again at the same port."""

    def __init__(self, program: str, folder: Path) -> None:
        self.port = free_port()
        command = [program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--dir", str(folder)]
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("Redis does not start")

    def stop(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def cut_everybody_off(self) -> None:
        with redis.Redis(port=self.port) as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")

    def bus(self, **options: Any) -> RedisBus:
        return RedisBus(f"redis://127.0.0.1:{self.port}/0", **{"backoff": QUICK} | options)


@pytest.fixture
def store(tool: Callable[[str], str], tmp_path: Path) -> Iterator[Store]:
    """A Redis of this test's own."""
    store = Store(tool("redis-server"), tmp_path)
    store.start()
    yield store
    store.stop()


@pytest.fixture(params=REAL, ids=lambda provider: provider.name)
def provider(request: pytest.FixtureRequest) -> Any:
    """Where it runs."""
    return request.param


def two_hubs(provider: Any, store: Store, main: Callable[[Hub, Hub], Awaitable[None]], **options: Any) -> None:
    """Run `main` with two hubs, as two processes have them."""

    async def whole(transport: object) -> None:
        bus = options.pop("bus", {})
        async with Hub(store.bus(**bus), **options) as one, Hub(store.bus(**bus), **options) as other:
            with anyio.fail_after(60):
                await main(one, other)

    provider.run(whole)


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not condition():
            await anyio.sleep(0.01)


async def joined(hub: Hub, topic: str = "room", **options: Any) -> Collector:
    collector = Collector(**options)
    hub.join(collector, topic)
    await hub.settled(topic)
    return collector


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


def test_a_connection_that_is_cut_is_made_again(provider: Any, store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Everything is subscribed to anew, the gap is told and counted, and no message comes twice."""

    async def main(one: Hub, other: Hub) -> None:
        gaps: list[str] = []
        one.on_gap(lambda: gaps.append("one"))
        other.on_gap(lambda: gaps.append("other"))
        here, there = await joined(one), await joined(other)
        await one.publish("room", "a")
        await until(lambda: there.texts == ["a"])
        for turn in range(1, 4):
            store.cut_everybody_off()
            await until(lambda turn=turn: len(gaps) == 2 * turn)  # type: ignore[misc]
            await one.publish("room", f"b{turn}")
            await until(lambda turn=turn: there.texts[-1] == here.texts[-1] == f"b{turn}")  # type: ignore[misc]
        assert here.texts == there.texts == ["a", "b1", "b2", "b3"]
        assert one.statistics("room").gaps == 3

    with caplog.at_level(logging.WARNING, "highper.error"):
        two_hubs(provider, store, main)
    assert "is cut off" in caplog.text
    assert "is there again" in caplog.text


def test_what_is_published_while_redis_is_away_comes_later(provider: Any, store: Store) -> None:
    """As far as there is room for it; then `post` says no, and `publish` waits."""

    async def main(one: Hub, other: Hub) -> None:
        gaps: list[int] = []
        other.on_gap(lambda: gaps.append(1))
        here, there = await joined(one), await joined(other)
        store.stop()
        taken = 0
        while one.post("room", f"{taken}"):
            taken += 1
        assert 10 < taken < 8192 / 64
        async with anyio.create_task_group() as group:
            group.start_soon(one.publish, "room", "last")
            await anyio.sleep(0.3)
            assert here.texts == there.texts == []
            store.start()
        await until(lambda: here.texts[-1:] == ["last"])
        assert here.texts == [*map(str, range(taken)), "last"]
        await until(lambda: bool(gaps))  # it may have come back after the other had sent, and is told so
        await one.publish("room", "after")
        await until(lambda: here.texts[-1:] == there.texts[-1:] == ["after"])

    two_hubs(provider, store, main, bus={"queue": 8192})


def test_a_redis_that_says_nothing_is_given_up(provider: Any, store: Store) -> None:
    """It is asked first; one that is only idle is kept."""

    async def main(one: Hub, other: Hub) -> None:
        gaps: list[int] = []
        one.on_gap(lambda: gaps.append(1))
        here = await joined(one)
        await anyio.sleep(1.5)
        assert gaps == []
        store.signal(signal.SIGSTOP)
        await anyio.sleep(1.2)
        store.signal(signal.SIGCONT)
        await until(lambda: bool(gaps))
        await one.publish("room", "a")
        await until(lambda: here.texts == ["a"])

    two_hubs(provider, store, main, bus={"silence": 0.4})


def test_a_gap_is_a_hole_for_who_comes_back(provider: Any, store: Store) -> None:
    """Readers of events are told that something may be missing."""

    async def main(one: Hub, other: Hub) -> None:
        gaps: list[int] = []
        other.on_gap(lambda: gaps.append(1))
        here, there = await joined(one, window_bits=-1), await joined(other, window_bits=-1)
        await one.publish("room", "a")
        await until(lambda: here.identities == there.identities != [])
        last = here.identities[0]
        assert other.join(Collector(-1), "room", after=last)
        store.cut_everybody_off()
        await until(lambda: bool(gaps))
        assert not other.join(Collector(-1), "room", after=last)

    two_hubs(provider, store, main, history=History())


def test_a_start_without_redis_fails(provider: Any) -> None:
    """In time, and says why; an application does not start then."""
    port = free_port()

    async def main(transport: Any) -> None:
        bus = RedisBus(f"redis://user:secret@127.0.0.1:{port}", patience=0.3, backoff=QUICK)
        hub = Hub(bus)
        with pytest.raises(ConnectFailed, match=r"127\.0\.0\.1.*Connection") as caught:
            await hub.start()
        assert "secret" not in str(caught.value)
        app = App()
        app.on_startup(hub.start)
        app.on_shutdown(hub.stop)
        with pytest.raises(StartupFailed):
            await Server(app, port=0).start(transport)

    provider.run(main)


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


def test_a_hub_that_comes_and_goes_to_topics_all_the_time_is_connected_again(provider: Any, store: Store) -> None:
    """What is wished for meanwhile does not hold the connection up."""

    async def main(one: Hub, other: Hub) -> None:
        gaps: list[int] = []
        one.on_gap(lambda: gaps.append(1))
        here = await joined(one)

        class Late(dict[bytes, int]):
            """Answers that are always still to come."""

            def __bool__(self) -> bool:
                return True

        bus = one._line.bus
        assert isinstance(bus, RedisBus)
        keep = bus._subscribe

        async def subscribe(hearing: Any, channels: list[bytes]) -> None:
            bus._awaited = Late(bus._awaited)
            await keep(hearing, channels)

        bus._subscribe = subscribe  # type: ignore[method-assign]
        store.cut_everybody_off()
        await until(lambda: bool(gaps))
        await one.publish("room", "a")
        await until(lambda: here.texts == ["a"])

    two_hubs(provider, store, main)


def test_who_waits_for_room_is_told_of_the_stop(provider: Any, store: Store) -> None:
    """And does not wait for ever."""

    async def main(transport: object) -> None:
        hub = Hub(store.bus(queue=4096))

        async def publish() -> None:
            with pytest.raises(RuntimeError, match="started"):
                await hub.publish("room", "late")

        with anyio.fail_after(20):
            async with anyio.create_task_group() as group, hub:
                store.stop()
                while hub.post("room", "x" * 500):
                    pass
                group.start_soon(publish)
                await anyio.sleep(0.1)

    provider.run(main)
