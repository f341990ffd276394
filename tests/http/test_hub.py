"""Topics: who gets what, in which order, and what is counted. On virtual time, subscribers standing in for sockets."""

from __future__ import annotations

import logging

import anyio
import pytest
from support.subscribers import Collector
from zope.interface.verify import verifyObject

from highper_http.hub import EVENTS, Hub, IBus, ISubscriber, LocalBus, TopicStatistics, Wire
from highper_http.testing import run


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
