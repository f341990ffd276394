"""What a hub keeps for those who come back: whole, in order and bounded, or with a hole that is told."""

from __future__ import annotations

import anyio
import pytest
from support.subscribers import Collector, events, two_hubs

from highper_http.hub import EVENTS, History, Hub
from highper_http.testing import run


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
