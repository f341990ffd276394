"""What waits for a slow peer, and what is dropped of it."""

from __future__ import annotations

import pytest

from highper_http.websocket.backlog import PLAIN, STREAM, Backlog, Waiting
from highper_http.websocket.settings import Policy


class Waiter:
    """Stands in for a task that waits."""

    woken = False

    def wake(self, error: BaseException | None = None) -> None:
        self.woken = True


def waiting(text: str) -> Waiting:
    return Waiting(text, PLAIN)


def taken(backlog: Backlog) -> list[str | bytes]:
    return [backlog.take().content for _ in range(len(backlog))]


@pytest.mark.parametrize("policy", [Policy.DROP_OLDEST, Policy.CONFLATE])
def test_the_oldest_go_until_the_newest_fits(policy: Policy) -> None:
    """One that does not fit at all waits alone."""
    backlog = Backlog(policy, 10)
    for text in ("aaaa", "bbbb", "cccc"):
        assert backlog.add(waiting(text))
    assert backlog.size == 8
    assert backlog.add(waiting("d" * 11))
    assert backlog.size == 11
    assert taken(backlog) == ["d" * 11]


def test_a_message_that_takes_the_place_of_an_older_one_is_not_the_oldest() -> None:
    """Where there is no room for it, others go."""
    backlog = Backlog(Policy.CONFLATE, 10)
    backlog.add(waiting("a"), "gold")
    backlog.add(waiting("other"))
    backlog.add(waiting("newest"), "gold")
    assert taken(backlog) == ["newest"]


@pytest.mark.parametrize("policy", [Policy.DROP_OLDEST, Policy.CONFLATE])
def test_the_turn_of_a_stream_is_not_dropped(policy: Policy) -> None:
    """Somebody waits for it."""
    backlog, waiter = Backlog(policy, 10), Waiter()
    backlog.add(Waiting("", STREAM, waiter))  # type: ignore[arg-type]
    for text in ("aaaa", "bbbb", "cccc"):
        backlog.add(waiting(text))
    assert taken(backlog) == ["", "bbbb", "cccc"]
    assert not waiter.woken


@pytest.mark.parametrize("policy", [Policy.BLOCK, Policy.CLOSE])
def test_what_has_no_room_does_not_wait_where_nothing_is_dropped(policy: Policy) -> None:
    """Unless somebody waits for it."""
    backlog, waiter = Backlog(policy, 10), Waiter()
    assert backlog.add(waiting("a" * 10))
    assert not backlog.add(waiting("b"))
    assert backlog.add(Waiting("c", PLAIN, waiter))  # type: ignore[arg-type]
    backlog.clear()
    assert waiter.woken
    assert (len(backlog), backlog.size) == (0, 0)
