"""The clocks of a connection."""

from __future__ import annotations

from math import inf

import pytest

from highper_core.deadlines import Deadlines, Phase
from highper_core.errors import Fault
from highper_core.limits import Limits

LIMITS = Limits(
    first_byte_timeout=1, idle_timeout=2, head_timeout=3, content_timeout=4, content_rate=10, content_rate_grace=5
)


@pytest.mark.parametrize(
    ("phase", "allowed", "fault"),
    [
        (Phase.FIRST_BYTE, 1, Fault.FIRST_BYTE_TIMEOUT),
        (Phase.IDLE, 2, Fault.IDLE_TIMEOUT),
        (Phase.HEAD, 3, Fault.HEAD_TIMEOUT),
        (Phase.CONTENT, 4, Fault.CONTENT_TIMEOUT),
    ],
)
def test_a_phase_ends(phase: Phase, allowed: float, fault: Fault) -> None:
    """Just before its deadline nothing has happened, at the deadline it has."""
    clocks = Deadlines(LIMITS)
    clocks.begin_at(phase, 100.0)
    assert clocks.next_deadline() == 100.0 + allowed
    assert clocks.expired(100.0 + allowed - 0.001) is Fault.NONE
    assert clocks.expired(100.0 + allowed) is fault


def test_off_never_ends() -> None:
    """No phase, no deadline."""
    clocks = Deadlines(LIMITS)
    assert (clocks.next_deadline(), clocks.expired(1e12)) == (inf, Fault.NONE)
    clocks.begin_at(Phase.HEAD, 0.0)
    clocks.begin(Phase.OFF)
    assert (clocks.next_deadline(), clocks.expired(1e12)) == (inf, Fault.NONE)


def test_a_pending_phase_wants_to_be_asked_at_once() -> None:
    """It began in a call without a time; asking starts its clock."""
    clocks = Deadlines(LIMITS)
    clocks.begin(Phase.IDLE)
    assert clocks.next_deadline() == -inf
    assert clocks.expired(50.0) is Fault.NONE
    assert clocks.next_deadline() == 52.0


def test_bytes_start_a_pending_phase() -> None:
    """So does a byte of the peer."""
    clocks = Deadlines(LIMITS)
    clocks.begin(Phase.CONTENT)
    clocks.receive(7, 50.0)
    assert (clocks.next_deadline(), clocks.received) == (54.0, 7)


def test_a_head_is_timed_in_all() -> None:
    """Bytes do not prolong it: a drip ends after the same time."""
    clocks = Deadlines(LIMITS)
    clocks.begin_at(Phase.HEAD, 0.0)
    for second in range(3):
        clocks.receive(1, float(second))
    assert clocks.expired(3.0) is Fault.HEAD_TIMEOUT


def test_silence_in_content() -> None:
    """Each byte starts the wait for the next one anew."""
    clocks = Deadlines(LIMITS)
    clocks.begin_at(Phase.CONTENT, 0.0)
    clocks.receive(1000, 3.0)
    assert clocks.next_deadline() == 7.0
    assert clocks.expired(7.0) is Fault.CONTENT_TIMEOUT


def test_content_that_drips() -> None:
    """Below the minimum rate, once the grace is over."""
    clocks = Deadlines(LIMITS)
    clocks.begin_at(Phase.CONTENT, 0.0)
    for second in range(1, 5):
        clocks.receive(1, float(second))
    assert clocks.next_deadline() == 5.0
    assert clocks.expired(5.0) is Fault.CONTENT_TOO_SLOW


def test_content_at_the_minimum_rate() -> None:
    """Bytes prolong it by what they take at that rate."""
    clocks = Deadlines(LIMITS)
    clocks.begin_at(Phase.CONTENT, 0.0)
    clocks.receive(100, 4.0)
    clocks.receive(1, 8.0)
    assert clocks.next_deadline() == 10.1


def test_no_rate_demanded() -> None:
    """A rate of 0 leaves silence as the only clock."""
    clocks = Deadlines(Limits(content_timeout=4, content_rate=0, content_rate_grace=0))
    clocks.begin_at(Phase.CONTENT, 0.0)
    assert clocks.next_deadline() == 4.0


def test_a_pause_is_left_out() -> None:
    """What we hold up ourselves is no fault of the peer. Both calls are idempotent."""
    clocks = Deadlines(LIMITS)
    clocks.begin_at(Phase.CONTENT, 0.0)
    clocks.pause(1.0)
    clocks.pause(2.0)
    assert (clocks.next_deadline(), clocks.expired(1e9)) == (inf, Fault.NONE)
    clocks.resume(101.0)
    clocks.resume(500.0)
    assert clocks.next_deadline() == 104.0
    clocks.receive(50, 102.0)
    assert clocks.next_deadline() == 105.0  # the rate: 50 bytes in the first 5 seconds, the pause left out


def test_a_phase_that_begins_in_a_pause() -> None:
    """The clock of content starts when reading is resumed; other phases run all the same."""
    clocks = Deadlines(LIMITS)
    clocks.pause(1.0)
    clocks.begin_at(Phase.CONTENT, 10.0)
    clocks.resume(20.0)
    assert clocks.next_deadline() == 24.0
    clocks.pause(21.0)
    clocks.begin_at(Phase.HEAD, 30.0)
    assert clocks.next_deadline() == 33.0


def test_a_pending_phase_in_a_pause() -> None:
    """It stays pending until somebody reads again."""
    clocks = Deadlines(LIMITS)
    clocks.pause(1.0)
    clocks.begin(Phase.CONTENT)
    assert clocks.next_deadline() == inf
    clocks.resume(20.0)
    assert (clocks.next_deadline(), clocks.expired(30.0), clocks.next_deadline()) == (-inf, Fault.NONE, 34.0)
