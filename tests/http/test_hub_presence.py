"""Who is in a topic, over several processes: hubs on one wire, on virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest
from support.subscribers import Collector

from highper_http.hub import Hub, LocalBus, Wire
from highper_http.hub.packets import Kind, Sender, Senders, parse_packet
from highper_http.hub.presence import BEAT, CONTROL, OWED, SILENCE
from highper_http.testing import run


class Torn(LocalBus):
    """A bus that can be cut, and that can be full."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self.cut = False
        self.full = False

    def send(self, topic: str, packet: bytes) -> bool:
        if self.full:
            return False
        return self.cut or super().send(topic, packet)

    def hand_over(self, topic: str, packet: bytes) -> None:
        if not self.cut:
            super().hand_over(topic, packet)

    def mend(self) -> None:
        self.cut = False
        assert self._listener is not None
        self._listener.missed()


class Process:
    """One hub, and what it has noticed."""

    def __init__(self, wire: Wire) -> None:
        self.bus = Torn(wire)
        self.hub = Hub(self.bus, presence=True)
        self.noticed: list[tuple[str, bool]] = []
        self.hub.on_presence(lambda topic, who, came: self.noticed.append((who, came)))

    def join(self, who: str | None = None, topic: str = "room") -> Collector:
        subscriber = Collector()
        self.hub.join(subscriber, topic, who=who)
        return subscriber

    def present(self) -> list[str]:
        return self.hub.present("room")


def processes(main: Callable[[Process, Process], Awaitable[None]]) -> None:
    """Run `main` with two processes on one wire."""

    async def whole() -> None:
        wire = Wire()
        one, other = Process(wire), Process(wire)
        async with one.hub, other.hub:
            await main(one, other)

    run(whole)


def test_presence_of_one_process() -> None:
    """Without a bus: who has come first, and gone last."""
    hub, noticed = Hub(presence=True), []
    hub.on_presence(lambda *change: noticed.append(change))
    tabs = [Collector(), Collector()]
    for tab in tabs:
        hub.join(tab, "room", who="ann")
    hub.join(Collector(), "room")
    assert hub.present("room") == ["ann"]
    tabs[0].close()
    assert hub.present("room") == ["ann"]
    hub.leave(tabs[1], "room")
    assert hub.present("room") == []
    assert noticed == [("room", "ann", True), ("room", "ann", False)]


def test_presence_is_asked_for() -> None:
    """A hub made without it says so."""
    hub = Hub()
    with pytest.raises(ValueError, match="without presence"):
        hub.join(Collector(), "room", who="ann")
    with pytest.raises(ValueError, match="without presence"):
        hub.present("room")


def test_who_came_before_and_who_comes_later() -> None:
    """A process that begins with a topic is told who is there, and each is told of every change."""

    async def main(one: Process, other: Process) -> None:
        one.join()
        ann = one.join("ann")
        assert other.present() == []
        other.join("bob")
        assert one.present() == other.present() == ["ann", "bob"]
        assert one.noticed == [("ann", True), ("bob", True)]
        assert sorted(other.noticed) == [("ann", True), ("bob", True)]
        ann.close()
        assert one.present() == other.present() == ["bob"]
        assert one.noticed[-1] == other.noticed[-1] == ("ann", False)

    processes(main)


def test_who_is_in_two_processes_is_noticed_once() -> None:
    """And gone only when it has gone from both."""

    async def main(one: Process, other: Process) -> None:
        tabs = [one.join("ann"), other.join("ann")]
        tabs[0].close()
        assert one.present() == []  # nobody here hears the topic any more
        assert other.present() == ["ann"]
        assert other.noticed == [("ann", True)]
        one.join()
        assert one.present() == ["ann"]
        tabs[1].close()
        assert one.present() == []
        assert other.noticed == [("ann", True), ("ann", False)]

    processes(main)


def test_who_stops_says_so() -> None:
    """Those who were in its process are gone at once."""

    async def main(one: Process, other: Process) -> None:
        one.join()
        other.join("ann")
        assert one.present() == ["ann"]
        await other.hub.stop()
        assert one.present() == []
        assert one.noticed == [("ann", True), ("ann", False)]

    processes(main)


def test_who_is_silent_is_taken_for_dead() -> None:
    """After some beats; who only has nothing to say is heard beating."""

    async def main(one: Process, other: Process) -> None:
        one.join("ann")
        other.join("bob")
        await anyio.sleep(10 * BEAT)
        assert other.present() == ["ann", "bob"]
        one.bus.cut = True
        await anyio.sleep(SILENCE - BEAT)
        assert other.present() == ["ann", "bob"]
        await anyio.sleep(3 * BEAT)
        assert other.present() == ["bob"]
        one.bus.mend()
        assert one.present() == other.present() == ["ann", "bob"]

    processes(main)


def test_after_a_gap_everybody_is_told_anew() -> None:
    """Who came meanwhile is there, who went is not; and nobody seems to have gone and come back."""

    async def main(one: Process, other: Process) -> None:
        one.join("ann")
        leaving = other.join("bob")
        other.join("cat")
        one.noticed.clear()
        one.bus.cut = True
        leaving.close()
        other.join("dan")
        assert one.present() == ["ann", "bob", "cat"]
        one.bus.mend()
        assert one.present() == other.present() == ["ann", "cat", "dan"]
        assert one.noticed == [("dan", True), ("bob", False)]

    processes(main)


def test_after_a_gap_who_has_left_the_topic_is_given_up() -> None:
    """Its process is alive and does not answer for a topic it does not hear."""

    async def main(one: Process, other: Process) -> None:
        one.join("ann")
        leaving = other.join("bob")
        one.bus.cut = True
        leaving.close()
        one.bus.mend()
        assert one.present() == ["ann", "bob"]
        await anyio.sleep(4 * BEAT)
        assert one.present() == ["ann"]

    processes(main)


def test_who_comes_behind_a_gap_is_not_given_up_with_those_who_left() -> None:
    """Of a process that does not answer, who was there before is in doubt, and nobody else."""

    async def main(one: Process, other: Process) -> None:
        one.join("ann")
        leaving = other.join("bob")
        one.bus.cut = True
        leaving.close()
        one.bus.mend()
        other.join("cat")
        assert one.present() == ["ann", "bob", "cat"]
        await anyio.sleep(4 * BEAT)
        assert one.present() == ["ann", "cat"]

    processes(main)


def test_who_is_still_there_when_a_hub_starts_again_is_told() -> None:
    """And who went elsewhere meanwhile is known to have gone."""

    async def main() -> None:
        wire = Wire()
        one, other = Process(wire), Process(wire)
        async with other.hub:
            async with one.hub:
                one.join("ann")
                other.join("bob")
                leaving = other.join("cat")
            assert other.present() == ["bob", "cat"]
            leaving.close()
            async with one.hub:
                assert one.present() == other.present() == ["ann", "bob"]

    run(main)


def test_what_could_not_be_said_is_said_later() -> None:
    """A bus without room delays presence, and loses none of it."""

    async def main(one: Process, other: Process) -> None:
        other.join()
        one.bus.full = True
        one.join("ann")
        going = one.join("bob")
        going.close()
        assert other.present() == []
        one.bus.full = False
        await anyio.sleep(1.5 * BEAT)
        assert other.present() == ["ann"]

    processes(main)


def test_who_left_last_while_nothing_could_be_said_is_known_to_have_gone() -> None:
    """Although its process hears no more of the topic."""

    async def main(one: Process, other: Process) -> None:
        other.join()
        leaving = one.join("ann")
        assert other.present() == ["ann"]
        one.bus.full = True
        leaving.close()
        assert one.hub.topics() == []
        one.bus.full = False
        await anyio.sleep(1.5 * BEAT)
        assert other.present() == []

    processes(main)


def test_what_is_owed_is_bounded() -> None:
    """Who owes too much says that it has gone, and who is there anew."""

    async def main(one: Process, other: Process) -> None:
        topics = [f"room {number}" for number in range(OWED + 10)]
        for topic in topics:
            other.join(topic=topic)
        staying, leaving = one.join("ann", topics[0]), [one.join("bob", topic) for topic in topics]
        assert staying
        one.bus.full = True
        for subscriber in leaving:
            subscriber.close()
        presence = one.hub._line.presence
        assert presence is not None
        assert len(presence._owed) <= OWED
        await anyio.sleep(1.5 * BEAT)
        one.bus.full = False
        await anyio.sleep(BEAT)
        assert [other.hub.present(topic) for topic in topics] == [["ann"], *[[] for _ in topics[1:]]]
        assert not presence._owed

    processes(main)


# Packets


def test_packets_come_back_as_they_were_sent() -> None:
    """Each kind with what it has to say."""
    sender = Sender()
    contents: dict[Kind, tuple[object, ...]] = {
        Kind.MESSAGE: ("text", None, "name"),
        Kind.ASK: (),
        Kind.HERE: (["ann", "bob"],),
        Kind.CAME: ("ann",),
        Kind.WENT: ("ann",),
        Kind.ALIVE: (),
        Kind.GONE: (),
    }
    assert contents.keys() == set(Kind)
    for number, (kind, content) in enumerate(contents.items(), 1):
        assert parse_packet(sender.packet(kind, *content)) == (sender.identity, number, kind, list(content))


def test_senders_are_remembered_in_number() -> None:
    """The one heard least lately is forgotten: processes come and go for years."""
    senders, packets = Senders(), [parse_packet(Sender().packet(Kind.ALIVE)) for _ in range(1001)]
    assert all(senders.is_new(packet) for packet in packets)
    assert not senders.is_new(packets[1])
    assert senders.is_new(packets[0])


def test_the_control_topic_is_nobodys_name() -> None:
    """No application can publish to it."""
    with pytest.raises(ValueError, match="name"):
        Hub().post(CONTROL, "x")
