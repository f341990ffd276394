"""Until when a WebSocket's peer must have shown itself. Data only: no timer is armed here and no clock is read.

    while          due at                                    what
    OPEN           last byte + ping_interval                 PING      a Ping is to be sent
                   Ping or last byte + ping_timeout          SILENT    nobody is there
                   last message + idle_timeout               IDLE
    closing        start + close_timeout                     LATE      the closing handshake takes too long

Any byte shows that the peer is there; a Pong tells besides how far away. A message that we send counts as one from
the next call on that carries a time. What begins in a call that carries none (`send` of a Close) is *pending*:
`next_deadline` answers minus infinity, "ask me now", and the next call with a time starts its clock. While we do not
read, only the closing handshake is timed.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from .limits import Limits

__all__ = ["Due", "KeepAlive"]

_INFINITY: Final = float("inf")
_NEVER: Final = -1.0


class Due(IntEnum):
    """What is due."""

    NOTHING = 0
    PING = 1
    SILENT = 2
    IDLE = 3
    LATE = 4


class KeepAlive:
    """The clocks of one WebSocket.

    Args:
        limits: where the times come from.
    """

    __slots__ = (
        "limits",
        "pending",
        "closing",
        "started",
        "received",
        "message",
        "spoke",
        "pinged",
        "paused",
        "latency",
    )

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.pending = True
        self.closing = False
        self.started = 0.0
        self.received = 0.0
        self.message = 0.0
        self.spoke = False
        self.pinged = _NEVER
        self.paused = _NEVER
        self.latency = _NEVER

    def begin_closing(self) -> None:
        """Time the closing handshake, or the end of the stream behind it, and nothing else."""
        self.closing = self.pending = True

    def stop(self) -> None:
        """Time nothing any more."""
        self.closing = True
        self.pending = False
        self.started = _INFINITY

    def tell(self, now: float) -> None:
        """Take the time: what is pending begins."""
        if self.pending:
            self.pending = False
            self.started = now
            if not self.closing:
                self.received = self.message = now
        if self.spoke:
            self.spoke = False
            self.message = now

    def receive(self, now: float) -> None:
        """Bytes of the peer have come."""
        self.tell(now)
        self.received = now

    def answered(self, now: float) -> None:
        """The Pong to our Ping has come."""
        if self.pinged >= 0:
            self.latency = now - self.pinged
            self.pinged = _NEVER

    def pause(self, now: float) -> None:
        """We do not read: silence is our own doing. Idempotent."""
        self.tell(now)
        if self.paused < 0:
            self.paused = now

    def resume(self, now: float) -> None:
        """Let the clocks run on, the pause left out. Idempotent."""
        if self.paused >= 0:
            away = now - self.paused
            self.paused = _NEVER
            self.received += away
            self.message += away
            if self.pinged >= 0:
                self.pinged += away

    def next_deadline(self) -> float:
        """Return when `due` wants to be asked; infinity for never, minus infinity for at once."""
        limits = self.limits
        if self.pending:
            return -_INFINITY
        if self.closing:
            return self.started + limits.websocket_close_timeout
        if self.paused >= 0:
            return _INFINITY
        return min(self._silence_ends(), self._idleness_ends())

    def due(self, now: float) -> Due:
        """Return what is due, and take the time. A Ping that is due counts as sent."""
        self.tell(now)
        if now < self.next_deadline():
            return Due.NOTHING
        if self.closing:
            self.stop()
            return Due.LATE
        if self._idleness_ends() <= now:
            return Due.IDLE
        if self.pinged >= 0:
            return Due.SILENT
        self.pinged = now
        return Due.PING

    def _silence_ends(self) -> float:
        if self.pinged >= 0:
            return max(self.pinged, self.received) + self.limits.websocket_ping_timeout
        interval = self.limits.websocket_ping_interval
        return _INFINITY if interval is None else self.received + interval

    def _idleness_ends(self) -> float:
        idle = self.limits.websocket_idle_timeout
        return _INFINITY if idle is None else self.message + idle
