"""Until when the peer must have moved on. Data only: no timer is armed here and no clock is read.

One phase is timed at a time. A phase often begins in a call that carries no time (`send`, `start_next_cycle`); it is
then *pending*: `next_deadline` answers minus infinity, "ask me now", and the next call that does carry a time
starts its clock. Silence and rate are timed only while the peer is the one who holds things up.

    phase        ends at                                           fault
    FIRST_BYTE   start + first_byte_timeout                        FIRST_BYTE_TIMEOUT   a fresh connection
    IDLE         start + idle_timeout                              IDLE_TIMEOUT         between two exchanges
    HEAD         start + head_timeout, whatever arrives            HEAD_TIMEOUT
    CONTENT      last byte + content_timeout                       CONTENT_TIMEOUT
                 start + max(content_rate_grace, bytes / rate)     CONTENT_TOO_SLOW

A CLIENT times heads and contents that have begun; how long an answer may take is its caller's business.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from .errors import Fault
from .limits import Limits

__all__ = ["Deadlines", "Phase"]

_INFINITY: Final = float("inf")


class Phase(IntEnum):
    """What the peer is being waited for."""

    OFF = 0
    FIRST_BYTE = 1
    IDLE = 2
    HEAD = 3
    CONTENT = 4


_FAULTS: Final = {
    Phase.FIRST_BYTE: Fault.FIRST_BYTE_TIMEOUT,
    Phase.IDLE: Fault.IDLE_TIMEOUT,
    Phase.HEAD: Fault.HEAD_TIMEOUT,
}


class Deadlines:
    """The clocks of one connection.

    Args:
        limits: where the times come from.
    """

    __slots__ = ("limits", "phase", "pending", "paused", "paused_at", "started", "last", "received")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.phase = Phase.OFF
        self.pending = False
        self.paused = False
        self.paused_at = 0.0
        self.started = 0.0
        self.last = 0.0
        self.received = 0

    def begin(self, phase: Phase) -> None:
        """Begin a phase, or none (OFF); its clock starts with the next call that carries a time."""
        self.phase = phase
        self.pending = phase != Phase.OFF
        self.received = 0

    def begin_at(self, phase: Phase, now: float) -> None:
        """Begin a phase whose clock starts now."""
        self.phase = phase
        self.pending = False
        self.received = 0
        self.started = self.last = self.paused_at = now

    def receive(self, length: int, now: float) -> None:
        """Account for bytes of the peer."""
        if self.pending:
            self.begin_at(self.phase, now)
        self.received += length
        self.last = now

    def pause(self, now: float) -> None:
        """Stop the clocks of content: we are holding it up. Idempotent."""
        if not self.paused:
            self.paused = True
            self.paused_at = now

    def resume(self, now: float) -> None:
        """Let the clocks of content run on, the pause left out. Idempotent."""
        if self.paused:
            self.paused = False
            self.started += now - self.paused_at
            self.last += now - self.paused_at

    def next_deadline(self) -> float:
        """Return when `expired` wants to be asked; infinity for never, minus infinity for at once."""
        if self.phase == Phase.OFF or (self.paused and self.phase == Phase.CONTENT):
            return _INFINITY
        if self.pending:
            return -_INFINITY
        if self.phase == Phase.CONTENT:
            return min(self._silent_until(), self._slow_until())
        return self.started + self._allowed()

    def expired(self, now: float) -> Fault:
        """Return the fault of the deadline that has passed, or NONE; starts the clock of a pending phase."""
        if self.phase == Phase.OFF or (self.paused and self.phase == Phase.CONTENT):
            return Fault.NONE
        if self.pending:
            self.begin_at(self.phase, now)
        if now < self.next_deadline():
            return Fault.NONE
        if self.phase == Phase.CONTENT:
            return Fault.CONTENT_TOO_SLOW if self._slow_until() < self._silent_until() else Fault.CONTENT_TIMEOUT
        return _FAULTS[self.phase]

    def _allowed(self) -> float:
        limits = self.limits
        if self.phase == Phase.HEAD:
            return limits.head_timeout
        return limits.idle_timeout if self.phase == Phase.IDLE else limits.first_byte_timeout

    def _silent_until(self) -> float:
        return self.last + self.limits.content_timeout

    def _slow_until(self) -> float:
        rate = self.limits.content_rate
        if rate <= 0:
            return _INFINITY
        return self.started + max(self.limits.content_rate_grace, self.received / rate)
