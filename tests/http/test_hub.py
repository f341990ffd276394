"""Topics: who gets what, in which order, and what is counted. On virtual time, subscribers standing in for sockets."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio
import pytest
from support.subscribers import Collector
from zope.interface.verify import verifyObject

from highper_http.hub import EVENTS, History, Hub, IBus, ISubscriber, LocalBus, TopicStatistics, Wire
from highper_http.testing import run


def two_hubs(main: Callable[[Hub, Hub], Awaitable[None]], **options: object) -> None:
    """Run `main` with two hubs on one bus, as two processes have them."""

    async def whole() -> None:
        wire = Wire()
        async with Hub(LocalBus(wire), **options) as one, Hub(LocalBus(wire), **options) as other:  # type: ignore[arg-type]
            await main(one, other)

    run(whole)


def test_interfaces_are_provided() -> None:
    """The stand-in, too, is a subscriber."""
    verifyObject(ISubscriber, Collector())
    verifyObject(IBus, LocalBus(Wire()))


def test_who_has_joined_gets_what_is_published() -> None:
    """From then on, until it leaves, and nobody else."""
    hub, one, other = Hub(), Collector(), Collector()
    hub.post("room", "early")
    assert hub.join(one, "room")
    assert hub.join(other, "elsewhere")
    hub.post("room", "a")
    hub.leave(one, "room")
    hub.leave(one, "room")
    hub.post("room", "b")
    assert (one.texts, other.texts) == (["a"], [])
    assert hub.topics() == ["elsewhere"]


def test_joining_twice_is_joining_once() -> None:
    """No message comes twice."""
    hub, subscriber = Hub(), Collector()
    assert hub.join(subscriber, "room")
    assert hub.join(subscriber, "room")
    hub.post("room", "a")
    assert subscriber.texts == ["a"]
    assert hub.statistics("room").subscribers == 1


def test_everybody_is_handed_the_same_bytes() -> None:
    """A message is encoded, framed and compressed once."""
    hub = Hub()
    plain, packed, events = [[Collector(bits) for _ in range(3)] for bits in (None, 12, EVENTS)]
    for subscriber in (*plain, *packed, *events):
        hub.join(subscriber, "room")
    hub.post("room", "a word and " * 20, key="k")
    for group, compressed in ((plain, False), (packed, True), (events, False)):
        assert len({id(subscriber.taken[0]) for subscriber in group}) == 1
        assert all(subscriber.compressed == [compressed] and subscriber.keys == ["k"] for subscriber in group)


def test_dictionaries_and_lists_go_as_json() -> None:
    """And what is neither text, bytes nor those is refused."""
    hub, subscriber = Hub(), Collector()
    hub.join(subscriber, "room")
    hub.post("room", {"a": [1, None]})
    hub.post("room", b"raw")
    assert subscriber.taken == [b'\x81\x0e{"a":[1,null]}', b"\x82\x03raw"]
    with pytest.raises(TypeError, match="publishes"):
        hub.post("room", 7)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="key"):
        hub.post("room", "x", key=7)  # type: ignore[arg-type]


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "bus"])
def test_what_nobody_could_take_is_the_publishers_fault(shared: bool) -> None:
    """It is refused before anybody has had any of it."""

    async def main() -> None:
        async with Hub(LocalBus(Wire()) if shared else None) as hub:
            subscriber = Collector(EVENTS)
            hub.join(subscriber, "room")
            with pytest.raises(ValueError, match="surrogates"):
                hub.post("room", "\ud800")
            with pytest.raises(ValueError, match="name"):
                hub.post("room", "x", name="a\n")
            assert subscriber.taken == []

    run(main)


def test_who_ends_leaves() -> None:
    """All its topics, by itself; a topic that nobody is in is forgotten."""
    hub, subscriber, other = Hub(), Collector(), Collector()
    for topic in ("a", "b"):
        hub.join(subscriber, topic)
    hub.join(other, "b")
    subscriber.close()
    assert hub.topics() == ["b"]
    assert hub.subscribers("b") == [other]
    assert not hub.join(subscriber, "a")
    assert hub.topics() == ["b"]


def test_who_ends_while_it_is_handed_a_message_disturbs_nobody() -> None:
    """Ending is leaving, in the middle of a delivery, too."""

    class Brittle(Collector):
        def post(self, data: bytes, **options: object) -> bool:  # type: ignore[override]
            self.close()
            return False

    hub = Hub()
    subscribers = [Brittle(bits) if index % 2 else Collector(bits) for bits in (None, 15, EVENTS) for index in range(6)]
    for subscriber in subscribers:
        hub.join(subscriber, "room")
    hub.post("room", "a")
    steady = [subscriber for subscriber in subscribers if not isinstance(subscriber, Brittle)]
    assert all(len(subscriber.taken) == 1 for subscriber in steady)
    assert set(hub.subscribers("room")) == set(steady)


def test_slow_subscribers_are_counted_and_hold_nobody_up() -> None:
    """What their policy drops is not delivered; everybody else has it."""
    hub, slow, quick = Hub(), Collector(room=1), Collector()
    hub.join(slow, "room")
    hub.join(quick, "room")
    for _ in range(3):
        hub.post("room", "x")
    assert (len(slow.taken), len(quick.taken)) == (1, 3)
    assert hub.statistics("room") == TopicStatistics(subscribers=2, published=3, delivered=4, dropped=2, kept=0, gaps=0)
    assert hub.statistics("nowhere") == TopicStatistics(0, 0, 0, 0, 0, 0)


def test_what_is_published_because_of_a_message_comes_behind_it() -> None:
    """To everybody, also to those who were still to be handed the first."""
    hub = Hub(presence=True)

    @hub.on_presence
    def tell(topic: str, who: str, came: bool) -> None:
        hub.post(topic, f"{who} {'came' if came else 'went'}")

    before, slow, behind = Collector(), Closing(room=2), Collector()
    hub.join(before, "room")
    hub.join(slow, "room", who="slow")
    hub.join(behind, "room")
    hub.post("room", "a")
    hub.post("room", "b")
    assert before.texts == ["slow came", "a", "b", "slow went"]
    assert behind.texts == ["a", "b", "slow went"]


def test_many_that_end_under_one_message_are_taken_one_after_the_other(caplog: pytest.LogCaptureFixture) -> None:
    """However many are too slow for what tells of the others' end."""
    hub, gone = Hub(presence=True), []

    @hub.on_presence
    def tell(topic: str, who: str, came: bool) -> None:
        if not came:
            gone.append(who)
            hub.post(topic, who)

    for number in range(2000):
        hub.join(Closing(room=0), "room", who=str(number))
    hub.post("room", "a")
    assert gone == [str(number) for number in range(2000)]
    assert hub.topics() == []
    assert not caplog.records


def test_who_has_left_gets_nothing_more_also_of_what_is_being_handed_over() -> None:
    """One that is handed a message may have others leave."""
    hub, last = Hub(), Collector()

    class Host(Collector):
        def post(self, data: bytes, **options: object) -> bool:  # type: ignore[override]
            hub.leave(last, "room")
            return super().post(data)

    hub.join(Host(), "room")
    hub.join(last, "room")
    hub.post("room", "a")
    assert last.taken == []
    assert hub.statistics("room").dropped == 0


def test_a_hook_may_have_the_last_others_leave() -> None:
    """The topic ends once."""
    hub, one, other = Hub(presence=True), Collector(), Collector()
    hub.on_presence(lambda topic, who, came: came or hub.leave(other, topic))
    hub.join(one, "room", who="ann")
    hub.join(other, "room")
    one.close()
    assert hub.topics() == []


class Closing(Collector):
    """Ends where it is handed too much."""

    def post(self, data: bytes, **options: object) -> bool:  # type: ignore[override]
        taken = super().post(data)
        if not taken and not self.closed:
            self.close()
        return taken


def test_one_that_raises_is_told_of_and_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    """A fault of one subscriber is nobody else's."""

    class Broken(Collector):
        def post(self, data: bytes, **options: object) -> bool:  # type: ignore[override]
            raise RuntimeError("broken")

    hub, subscriber = Hub(), Collector()
    hub.join(Broken(), "room")
    hub.join(subscriber, "room")
    with caplog.at_level(logging.ERROR, "highper.error"):
        hub.post("room", "a")
    assert subscriber.texts == ["a"]
    assert "took a message badly" in caplog.text
    assert hub.statistics("room").dropped == 1


def test_publishing_lets_others_have_the_loop() -> None:
    """Who publishes without end does not run alone."""

    async def main() -> None:
        hub, passes = Hub(), 0
        for _ in range(100):
            hub.join(Collector(room=0), "room")

        async def count() -> None:
            nonlocal passes
            while True:
                await anyio.sleep(0)
                passes += 1

        async with anyio.create_task_group() as group:
            group.start_soon(count)
            for _ in range(100):
                await hub.publish("room", "x")
            group.cancel_scope.cancel()
        assert passes >= 15

    run(main)


@pytest.mark.parametrize("topic", [""])
def test_a_topic_has_a_name(topic: str) -> None:
    """The empty one is the hubs' own."""
    hub = Hub()
    with pytest.raises(ValueError, match="name"):
        hub.join(Collector(), topic)
    with pytest.raises(ValueError, match="name"):
        hub.post(topic, "x")


# Over a bus


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


# Gaps


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


# History


def events(hub: Hub, topic: str = "room", after: str | None = None) -> tuple[Collector, bool]:
    reader = Collector(EVENTS)
    return reader, hub.join(reader, topic, after=after)


def test_who_comes_back_is_handed_what_it_missed() -> None:
    """Once, in order, and no more than that."""

    async def main() -> None:
        hub = Hub(history=History())
        reader, _ = events(hub)
        hub.post("room", "a")
        hub.post("room", "b")
        reader.close()
        hub.post("room", "c")
        hub.post("room", "d", name="note")
        again, complete = events(hub, after=reader.identities[0])
        hub.post("room", "e")
        assert complete
        assert again.texts == ["b", "c", "d", "e"]
        assert b"event: note" in again.taken[2]

    run(main)


def test_any_process_can_hand_it_over() -> None:
    """Identities are the same everywhere."""

    async def main(one: Hub, other: Hub) -> None:
        reader, _ = events(one)
        other.join(Collector(), "room")
        one.post("room", "a")
        other.post("room", "b")
        again, complete = events(other, after=reader.identities[0])
        assert complete
        assert again.texts == ["b"]
        assert again.identities == reader.identities[1:]

    two_hubs(main, history=History())


@pytest.mark.parametrize("bounds", [{"messages": 2}, {"size": 4}], ids=repr)
def test_a_history_is_bounded_and_says_when_it_has_a_hole(bounds: dict[str, int]) -> None:
    """What is left is handed over all the same."""

    async def main() -> None:
        hub = Hub(history=History(**bounds))  # type: ignore[arg-type]
        reader, _ = events(hub)
        for text in ("a1", "b1", "c1", "d1"):
            hub.post("room", text)
        assert hub.statistics("room").kept == 2
        old, complete = events(hub, after=reader.identities[0])
        assert (complete, old.texts) == (False, ["c1", "d1"])
        late, complete = events(hub, after=reader.identities[2])
        assert (complete, late.texts) == (True, ["d1"])
        unknown, complete = events(hub, after="made up")
        assert (complete, unknown.texts) == (False, ["c1", "d1"])

    run(main)


def test_what_is_kept_grows_old() -> None:
    """Messages after their seconds, topics that were left after as many."""

    async def main() -> None:
        hub = Hub(history=History(seconds=10))
        reader, _ = events(hub)
        hub.post("room", "a")
        await anyio.sleep(9)
        hub.post("room", "b")
        await anyio.sleep(2)
        again, complete = events(hub, after=reader.identities[0])
        assert (complete, again.texts) == (False, ["b"])
        reader.close()
        again.close()
        await anyio.sleep(5)
        assert hub.topics() == ["room"]
        await anyio.sleep(6)
        events(hub, "other")[0].close()
        assert hub.topics() == ["other"]

    run(main)


def test_topics_that_were_left_are_kept_in_number() -> None:
    """Those left first go first."""

    async def main() -> None:
        hub = Hub(history=History(topics=2))
        for topic in ("a", "b", "a", "c", "d"):
            events(hub, topic)[0].close()
        assert hub.topics() == ["c", "d"]

    run(main)


def test_one_row_for_all_topics() -> None:
    """A reader of two topics goes on in both behind the last message it had of either."""

    async def main() -> None:
        hub = Hub(history=History())
        reader = Collector(EVENTS)
        for topic in ("room", "hall"):
            hub.join(reader, topic)
        hub.post("room", "a")
        hub.post("hall", "b")
        reader.close()
        hub.post("room", "c")
        hub.post("hall", "d")
        again = Collector(EVENTS)
        last = reader.identities[-1]
        assert hub.join(again, "room", after=last)
        assert hub.join(again, "hall", after=last)
        assert again.texts == ["c", "d"]
        late = Collector(EVENTS)
        assert not hub.join(late, "new", after=last)

    run(main)


def test_a_gap_is_a_hole_in_the_history() -> None:
    """Who had the last message before it cannot know that it has all."""

    async def main(one: Hub, other: Hub) -> None:
        reader, _ = events(one)
        one.post("room", "a")
        one._line.missed()
        one.post("room", "b")
        again, complete = events(one, after=reader.identities[0])
        assert (complete, again.texts) == (False, ["b"])
        again, complete = events(one, after=reader.identities[1])
        assert (complete, again.texts) == (True, [])

    two_hubs(main, history=History())


def test_without_a_history_nothing_is_kept() -> None:
    """And events carry no identity, for nobody could use it."""
    hub = Hub()
    reader, _ = events(hub)
    hub.post("room", "a")
    assert reader.taken == [b"data: a\n\n"]
    assert events(hub, after="x")[1] is False


def test_a_reader_that_ends_under_what_it_missed_has_not_joined() -> None:
    """It is not handed anything later."""

    class Small(Collector):
        def post(self, data: bytes, **options: object) -> bool:  # type: ignore[override]
            taken = super().post(data)
            if not taken and not self.closed:
                self.close()
            return taken

    async def main() -> None:
        hub = Hub(history=History())
        reader, _ = events(hub)
        for _ in range(3):
            hub.post("room", "x")
        small = Small(EVENTS, room=1)
        assert not hub.join(small, "room", after=reader.identities[0])
        assert hub.subscribers("room") == [reader]

    run(main)


@pytest.mark.parametrize("bounds", [{"messages": 0}, {"seconds": -1}, {"size": 0}, {"topics": 0}], ids=repr)
def test_a_history_has_bounds(bounds: dict[str, int]) -> None:
    """One that keeps nothing is none."""
    with pytest.raises(ValueError, match="positive"):
        History(**bounds)  # type: ignore[arg-type]
