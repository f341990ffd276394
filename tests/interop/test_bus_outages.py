"""Hubs over a real Redis that is cut off, away, silent or slow: gaps are told, what waits comes later, nobody hangs."""

from __future__ import annotations

import logging
import signal
from typing import Any

import anyio
import pytest
from http_command import free_port
from support.providers import provider
from support.redis_store import QUICK, Store, joined, store, two_hubs, until
from support.subscribers import Collector

from highper_http import App, Server, StartupFailed
from highper_http.hub import History, Hub
from highper_http.hub.redis import RedisBus
from highper_transports.errors import ConnectFailed

__all__ = ["provider", "store"]


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
        await anyio.sleep(2.5)
        assert gaps == []
        store.signal(signal.SIGSTOP)
        await anyio.sleep(2.5)
        store.signal(signal.SIGCONT)
        await until(lambda: bool(gaps))
        await one.publish("room", "a")
        await until(lambda: here.texts == ["a"])

    two_hubs(provider, store, main, bus={"silence": 1.0})


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
