"""In which order many are handed what is published, and who has the loop meanwhile."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.subscribers import Collector

from highper_http.hub import EVENTS, History, Hub, LocalBus, Wire, delivery
from highper_http.testing import run

MANY = 3000


def crowd(hub: Hub, number: int = MANY) -> list[Collector]:
    """So many subscribers of one topic."""
    subscribers = [Collector() for _ in range(number)]
    for subscriber in subscribers:
        hub.join(subscriber, "room")
    return subscribers


def having(subscribers: list[Collector]) -> int:
    return sum(bool(subscriber.taken) for subscriber in subscribers)


async def amid(publish: Callable[[], Awaitable[None]], then: Callable[[], None]) -> None:
    """Publish, and do something when some have the message and others have not."""
    async with anyio.create_task_group() as group:
        group.start_soon(publish)
        await anyio.sleep(0)
        await anyio.sleep(0)
        then()


def test_others_have_the_loop_while_many_are_handed_a_message() -> None:
    """And whoever publishes goes on when everybody has it."""

    async def main() -> None:
        hub, seen = Hub(), []
        subscribers = crowd(hub)
        async with anyio.create_task_group() as group:

            async def watch() -> None:
                while having(subscribers) < MANY:
                    seen.append(having(subscribers))
                    await anyio.sleep(0)

            group.start_soon(watch)
            await hub.publish("room", "a")
            assert having(subscribers) == MANY
        assert len(set(seen)) > 4
        statistics = hub.statistics("room")
        assert (statistics.published, statistics.delivered, statistics.dropped) == (1, MANY, 0)

    run(main)


def test_who_cannot_wait_is_behind_all_the_same() -> None:
    """The message before is brought to its end at once."""

    async def main() -> None:
        hub = Hub()
        subscribers = crowd(hub)

        def post() -> None:
            assert 0 < having(subscribers) < MANY
            hub.post("room", "b")
            assert {tuple(subscriber.texts) for subscriber in subscribers} == {("a", "b")}

        await amid(lambda: hub.publish("room", "a"), post)
        assert {tuple(subscriber.texts) for subscriber in subscribers} == {("a", "b")}

    run(main)


def test_everybody_sees_one_order_of_many_publishers() -> None:
    """Each message waits until the one before is with everybody."""

    async def main() -> None:
        hub = Hub()
        subscribers = crowd(hub)
        async with anyio.create_task_group() as group:
            for name in "abcde":
                group.start_soon(hub.publish, "room", name)
        assert len({tuple(subscriber.texts) for subscriber in subscribers}) == 1
        assert sorted(subscribers[0].texts) == list("abcde")

    run(main)


def test_who_comes_and_goes_amid_a_message() -> None:
    """Who has left gets nothing more; who comes gets what is published from then on, and what it has missed, once."""

    async def main() -> None:
        hub = Hub(history=History())
        first = Collector(EVENTS)
        hub.join(first, "room")
        hub.post("room", "before")
        subscribers = crowd(hub)
        late, back = Collector(), Collector(EVENTS)
        left: list[Collector] = []

        def move() -> None:
            left.extend(subscriber for subscriber in subscribers if not subscriber.taken)
            assert 0 < len(left) < MANY
            for subscriber in left:
                hub.leave(subscriber, "room")
            hub.join(late, "room")
            assert hub.join(back, "room", after=first.identities[0])

        await amid(lambda: hub.publish("room", "a"), move)
        assert having(left) == 0
        assert late.taken == []
        assert back.texts == ["a"]
        assert first.texts == ["before", "a"]

    run(main)


def test_everybody_may_leave_amid_a_message() -> None:
    """The topic ends, and begins anew."""

    async def main() -> None:
        hub = Hub()
        subscribers = crowd(hub)

        def leave() -> None:
            for subscriber in subscribers:
                subscriber.close()
            assert hub.topics() == []

        await amid(lambda: hub.publish("room", "a"), leave)
        again = Collector()
        hub.join(again, "room")
        await hub.publish("room", "b")
        assert again.texts == ["b"]

    run(main)


@pytest.mark.parametrize(("waits", "expected"), [(False, MANY), (True, 0)], ids=["begun", "waiting"])
def test_a_publisher_that_is_cancelled_leaves_nothing_half_done(waits: bool, expected: int) -> None:
    """Everybody has the message, or nobody."""

    async def main() -> None:
        hub = Hub()
        subscribers = crowd(hub)
        async with anyio.create_task_group() as group:
            if waits:
                group.start_soon(hub.publish, "room", "other")
            await anyio.sleep(0)
            async with anyio.create_task_group() as cancelled:
                cancelled.start_soon(hub.publish, "room", "a")
                await anyio.sleep(0)
                await anyio.sleep(0)
                cancelled.cancel_scope.cancel()
        assert sum("a" in subscriber.texts for subscriber in subscribers) == expected
        assert not hub._topics["room"].is_handing_over

    run(main)


def test_what_is_published_because_of_a_message_amid_it_is_behind_it() -> None:
    """By a hook, while only some have it."""

    async def main() -> None:
        hub = Hub(presence=True)
        hub.on_presence(lambda topic, who, came: came or hub.post("room", "went"))

        class Closing(Collector):
            def post(self, data: bytes, **options: object) -> bool:  # type: ignore[override]
                self.close()
                return False

        subscribers = crowd(hub, 1000)
        hub.join(Closing(), "room", who="ann")
        subscribers += crowd(hub, 1000)
        await hub.publish("room", "a")
        assert {tuple(subscriber.texts) for subscriber in subscribers} == {("a", "went")}

    run(main)


def test_what_comes_over_a_bus_is_handed_over_in_turns_where_the_bus_can_wait() -> None:
    """One packet after the other, and what is none is told of and dropped."""

    class Patient(LocalBus):
        """Has the packets taken by a task, as a bus on a network does."""

        def __init__(self) -> None:
            super().__init__(Wire())
            self.packets: list[tuple[str, bytes]] = []

        def hand_over(self, topic: str, packet: bytes) -> None:
            self.packets.append((topic, packet))

        async def carry(self) -> None:
            assert self._listener is not None
            while self.packets:
                await self._listener.take(*self.packets.pop(0))

    async def main() -> None:
        bus, seen = Patient(), []
        async with Hub(bus) as hub:
            subscribers = crowd(hub)
            for text in "ab":
                await hub.publish("room", text)
            bus.packets.insert(1, ("room", b"nothing"))
            assert having(subscribers) == 0
            async with anyio.create_task_group() as group:
                group.start_soon(bus.carry)
                while having(subscribers) < MANY:
                    await anyio.sleep(0)
                    seen.append(having(subscribers))
            assert len(set(seen)) > 4
            assert {tuple(subscriber.texts) for subscriber in subscribers} == {("a", "b")}

    run(main)


class Frail(Collector):
    """Ends where it is handed too much."""

    def post(self, data: bytes, **options: object) -> bool:  # type: ignore[override]
        taken = super().post(data)
        if not taken and not self.closed:
            self.close()
        return taken


STEPS = st.one_of(
    st.sampled_from(["post", "publish", "cancelled", "pass"]),
    st.tuples(st.sampled_from(["join", "leave", "end"]), st.integers(0, 5)),
)


@settings(max_examples=500, deadline=None)
@given(steps=st.lists(STEPS, max_size=40), reacts=st.booleans())
def test_whoever_comes_goes_and_publishes_there_is_one_order(steps: list[Any], reacts: bool) -> None:
    """Each who is there has a part of it without holes, from when it came until it went; who stays has the end."""

    async def main() -> None:
        hub, number = Hub(presence=True), itertools.count()
        witness = Collector()
        others: dict[int, list[Collector]] = {who: [] for who in range(6)}  # one for each time it came
        if reacts:
            hub.on_presence(lambda topic, who, came: hub.post("room", f"told {next(number)}") and None)
        hub.join(witness, "room")
        async with anyio.create_task_group() as group:
            for step in steps:
                if step == "post":
                    hub.post("room", str(next(number)))
                elif step == "publish":
                    group.start_soon(hub.publish, "room", str(next(number)))
                elif step == "cancelled":
                    with anyio.CancelScope() as scope:
                        scope.cancel()
                        await hub.publish("room", str(next(number)))
                elif step == "pass":
                    await anyio.sleep(0)
                else:
                    turn(step, hub, others)
        order = witness.texts
        assert len(set(order)) == len(order)
        for collectors in others.values():
            for collector in collectors:
                had = collector.texts
                begin = order.index(had[0]) if had else 0
                assert had == order[begin : begin + len(had)]
                if had and collector in hub.subscribers("room"):
                    assert had == order[begin:]
        assert not hub._topics["room"].is_handing_over

    def turn(step: tuple[str, int], hub: Hub, others: dict[int, list[Collector]]) -> None:
        what, who = step
        here = [collector for collector in others[who] if collector in hub.subscribers("room")]
        if what == "join" and not here:
            others[who].append(Frail(room=who) if who % 2 else Collector())
            hub.join(others[who][-1], "room", who=str(who))
        elif what == "leave" and here:
            hub.leave(here[0], "room")
        elif what == "end" and here:
            here[0].close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivery, "TURN", 2)
        run(main)
