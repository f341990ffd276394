"""Hubs of two processes on one bus: each message once, in order, or a gap that is told. On virtual time."""

from __future__ import annotations

import logging

import anyio
import pytest
from support.subscribers import Collector, events, two_hubs

from highper_http.hub import EVENTS, History, Hub, LocalBus, Wire
from highper_http.testing import run


def test_both_processes_get_what_either_publishes() -> None:
    """In the same order, text as text, bytes as bytes."""

    async def main(one: Hub, other: Hub) -> None:
        here, there, elsewhere = Collector(), Collector(EVENTS), Collector()
        one.join(here, "room")
        other.join(there, "room")
        other.join(elsewhere, "hall")
        await one.settled("room")
        await one.publish("room", "a", key="k", name="n")
        await other.publish("room", {"b": 1})
        await one.publish("room", b"c")
        assert here.taken == [b"\x81\x01a", b'\x81\x07{"b":1}', b"\x82\x01c"]
        assert here.keys == ["k", None, None]
        assert there.taken == [b"event: n\ndata: a\n\n", b'data: {"b":1}\n\n', b"data: Yw==\n\n"]
        assert elsewhere.taken == []

    two_hubs(main)


def test_a_message_for_here_stays_here() -> None:
    """It does not go over the bus."""

    async def main(one: Hub, other: Hub) -> None:
        here, there = Collector(), Collector()
        one.join(here, "room")
        other.join(there, "room")
        await one.publish("room", "a", here=True)
        assert (here.texts, there.texts) == (["a"], [])

    two_hubs(main)


def test_messages_of_one_answer_do_not_overtake_each_other() -> None:
    """What is published while a message is delivered comes behind it, everywhere."""

    class Answering(Collector):
        def post(self, data: bytes, **options: object) -> bool:  # type: ignore[override]
            if data.endswith(b"question"):
                hubs[0].post("room", "answer")
            return super().post(data)

    hubs: list[Hub] = []

    async def main(one: Hub, other: Hub) -> None:
        hubs.append(one)
        answering, there = Answering(), Collector()
        one.join(answering, "room")
        other.join(there, "room")
        one.post("room", "question")
        assert there.texts == answering.texts == ["question", "answer"]

    two_hubs(main)


def test_a_packet_that_comes_twice_counts_once() -> None:
    """A bus that was cut off sends again what it cannot know to have arrived."""

    async def main() -> None:
        wire, packets = Wire(), []
        wire.join(Spy(wire, packets))
        async with Hub(LocalBus(wire)) as hub:
            subscriber = Collector()
            hub.join(subscriber, "room")
            hub.post("room", "a")
            hub.post("room", "b")
            for packet in list(packets):
                wire.carry(*packet)
            assert subscriber.texts == ["a", "b"]

    run(main)


class Spy(LocalBus):
    """Keeps what goes over the wire."""

    def __init__(self, wire: Wire, packets: list[tuple[str, bytes]]) -> None:
        super().__init__(wire)
        self._packets = packets

    def hand_over(self, topic: str, packet: bytes) -> None:
        self._packets.append((topic, packet))


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\xc1",
        b"\x93\xa1a\x01",
        b"\x93\xa1a\x01\x63",
        b"\x94\xa1a\x01\x00\x07",
        b"\x95\xa1a\x01\x00\xa1b\x07",
        b"\x96\xa0\x01\x00\xa1b\xc0\xc0",
        b"\x96\xa2a\n\x01\x00\xa1b\xc0\xc0",
        b"\x96\xd9\x41" + b"a" * 65 + b"\x01\x00\xa1b\xc0\xc0",
        b"\x96\xa1a\x01\x00\xa1b\xc0\xa3x\ny",
        b"7",
    ],
    ids=repr,
)
def test_a_packet_that_is_none_is_told_of_and_dropped(packet: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever writes to the bus cannot take a process down."""

    async def main(one: Hub, other: Hub) -> None:
        subscriber = Collector()
        one.join(subscriber, "room")
        with caplog.at_level(logging.ERROR, "highper.error"):
            one._line.received("room", packet)
        one.post("room", "a")
        assert subscriber.texts == ["a"]
        assert "could not be taken" in caplog.text

    two_hubs(main)


def test_a_hub_with_a_bus_is_started_first() -> None:
    """Else nothing could come."""
    hub = Hub(LocalBus(Wire()))
    with pytest.raises(RuntimeError, match="started"):
        hub.join(Collector(), "room")
    with pytest.raises(RuntimeError, match="started"):
        hub.post("room", "x")

    async def main() -> None:
        async with hub:
            with pytest.raises(RuntimeError, match="running"):
                await hub.start()
        await hub.stop()
        with pytest.raises(RuntimeError, match="started"):
            hub.post("room", "x")

    run(main)


def test_a_hub_that_is_stopped_lets_go_and_begins_again() -> None:
    """Who ends meanwhile leaves; who is still there hears what is published after the next start."""

    async def main() -> None:
        wire = Wire()
        hub = Hub(LocalBus(wire), presence=True)
        async with hub:
            going, staying = Collector(), Collector()
            hub.join(going, "room", who="ann")
            hub.join(staying, "room", who="bob")
        going.close()
        async with hub, Hub(LocalBus(wire)) as other:
            other.post("room", "again")
            assert staying.texts == ["again"]
            assert hub.present("room") == ["bob"]

    run(main)


def test_what_was_published_while_a_hub_was_stopped_is_a_gap() -> None:
    """It knows that it heard nothing."""

    async def main() -> None:
        wire, told = Wire(), []
        async with Hub(LocalBus(wire)) as other:
            hub = Hub(LocalBus(wire), history=History())
            hub.on_gap(lambda: told.append("gap"))
            async with hub:
                reader, _ = events(hub)
                other.post("room", "a")
                assert told == []
            other.post("room", "b")
            async with hub:
                again, complete = events(hub, after=reader.identities[0])
                assert (complete, again.texts, told) == (False, [], ["gap"])
                assert hub.statistics("room").gaps == 1

    run(main)


def test_nobody_waits_for_a_bus_that_was_stopped() -> None:
    """To hear a topic that will not be heard."""

    class Deaf(LocalBus):
        def subscribe(self, topic: str) -> None:
            pass

    async def main() -> None:
        hub = Hub(Deaf(Wire()))
        await hub.start()
        hub.join(Collector(), "room")
        async with anyio.create_task_group() as group:

            async def settle() -> None:
                with pytest.raises(RuntimeError, match="started"):
                    await hub.settled("room")

            group.start_soon(settle)
            await anyio.sleep(1)
            await hub.stop()

    run(main)


def test_who_publishes_waits_for_room() -> None:
    """And `post` says that there is none."""

    class Narrow(LocalBus):
        full = True

        def send(self, topic: str, packet: bytes) -> bool:
            return not self.full and super().send(topic, packet)

        async def room(self) -> None:
            await anyio.sleep(60)
            self.full = False

    async def main() -> None:
        bus = Narrow(Wire())
        async with Hub(bus) as hub:
            subscriber = Collector()
            hub.join(subscriber, "room")
            assert not hub.post("room", "dropped")
            await hub.publish("room", "a")
            assert subscriber.texts == ["a"]
            assert anyio.current_time() >= 60

    run(main)


def test_gaps_are_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """A hook that fails is logged, and the others run."""

    async def main(one: Hub, other: Hub) -> None:
        told = []
        one.on_gap(lambda: 1 / 0)
        one.on_gap(lambda: told.append("gap"))
        one.join(Collector(), "room")
        with caplog.at_level(logging.ERROR, "highper.error"):
            one._line.missed()
        assert told == ["gap"]
        assert "a hook of a hub failed" in caplog.text
        assert one.statistics("room").gaps == 1

    two_hubs(main)
