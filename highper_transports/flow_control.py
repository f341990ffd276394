# cython: annotation_typing=False
"""Pressure, both ways.

Out: the stream says when its buffer is full; writers wait, and a peer that takes nothing for too long is given up.
In: reading stops while somebody holds content back or too much waits unparsed, and so does the clock of the content,
because then it is us, not the peer, who hold it up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .timers import NEVER

if TYPE_CHECKING:
    from highper_core.connection import Connection

    from .stream import Stream

__all__ = ["IncomingFlow", "OutgoingFlow"]


class OutgoingFlow:
    """What the peer takes of what we write.

    Attributes:
        paused: the write buffer is above its high-water mark.
        deadline: when a peer that took nothing is given up.
    """

    __slots__ = ("paused", "deadline", "_timeout", "_written", "_taken")

    def __init__(self, timeout: float) -> None:
        self.paused = False
        self.deadline = NEVER
        self._timeout = timeout
        self._written = 0
        self._taken = 0

    def wrote(self, length: int) -> None:
        """Count bytes given to the stream."""
        self._written += length

    def watch(self, unwritten: int, now: float) -> None:
        """Begin to expect that the peer takes some of the `unwritten` bytes."""
        if self.deadline == NEVER:
            self._taken = self._written - unwritten
            self.deadline = now + self._timeout

    def relax(self) -> None:
        """Nothing is owed to the peer any more."""
        self.paused = False
        self.deadline = NEVER

    def stalled(self, unwritten: int, now: float) -> bool:
        """Return whether the deadline has passed and nothing was taken; if something was, set the next deadline."""
        if now < self.deadline:
            return False
        if unwritten == 0 and not self.paused:
            self.deadline = NEVER
            return False
        taken = self._written - unwritten
        if taken <= self._taken:
            return True
        self._taken = taken
        self.deadline = now + self._timeout
        return False

    def reset(self) -> None:
        """Become as newly made."""
        self.relax()
        self._written = 0
        self._taken = 0


class IncomingFlow:
    """Whether we read. `held` is the last word given to the stream and the connection."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = False

    def hold(self, stream: Stream, connection: Connection, now: float) -> None:
        """Stop reading."""
        if not self.held:
            self.held = True
            stream.pause_reading()
            connection.pause_reading(now)

    def release(self, stream: Stream, connection: Connection, now: float) -> None:
        """Read again."""
        if self.held:
            self.held = False
            connection.resume_reading(now)
            stream.resume_reading()
