# cython: annotation_typing=False
"""The writing half of a WebSocket's driver: what is framed, when it leaves, how a stream ends, and until when.

    OPEN --both Close frames, or a fault told--> LINGERING or CLOSING --the stream is gone--> GONE

What is framed is corked: it leaves in one write at the end of the read event or coroutine step that framed it, or at
once where it is much. There is no timer: one entry of the stream in the wheel of its transport, looked at when it is
due and not moved with every message, for what a message moves is always later.

After a quiet second, with nothing under way, the stream dozes where its transport can keep less than the object:
`wire` is None then, and whoever needs the stream asks `reach` for it.

A side that has told a fault lingers: it reads and drops what still comes, because a reset caused by unread bytes could
destroy the Close that tells the peer why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from highper_core.closing import WebSocketState
from highper_core.websocket import WebSocket

from .flow_control import OutgoingFlow
from .rest import REST_DELAY
from .stream import Receiver, Stream
from .timers import NEVER, RESOLUTION

if TYPE_CHECKING:
    from .interfaces import ITransport

__all__ = ["CLOSING", "GONE", "LINGERING", "OPEN", "WebSocketOutlet"]

OPEN: Final = 0
LINGERING: Final = 1
CLOSING: Final = 2
GONE: Final = 3

_OPEN, _LINGERING, _CLOSING, _GONE = OPEN, LINGERING, CLOSING, GONE  # as C knows them

CORK: Final = 64 * 1024  # framed bytes beyond which we do not wait for the end of the step
PIECES: Final = 16 * 1024  # framed bytes beyond which they are not joined to be written

_FAILED = WebSocketState.FAILED


class WebSocketOutlet(Receiver):
    """What a WebSocket's driver writes through.

    Attributes:
        core: the protocol's state; None before `take_over`.
        transport: of the stream beneath; None before `take_over`.
        wire: that stream; None before `take_over`, and while it dozes.
        full: no more is parsed or read.
        deferred: no more is parsed before the next pass, so that an answer to what was told leaves before a fault
            behind it is.
        over: `ending` was told.
        shut: nothing can be sent any more: our Close has gone, or it is over.
        pressed: the peer takes less than is written, so whoever sends should wait.
    """

    __slots__ = (
        "core",
        "deferred",
        "full",
        "over",
        "pressed",
        "shut",
        "transport",
        "wire",
        "_corked",
        "_dirty",
        "_ended",
        "_held",
        "_outgoing",
        "_phase",
        "_place",
        "_pumping",
        "_quiet",
    )

    def __init__(self) -> None:
        self.core: WebSocket = None  # type: ignore[assignment]  # until `take_over`
        self.transport: ITransport = None  # type: ignore[assignment]
        self.wire: Stream = None  # type: ignore[assignment]
        self.over = False
        self.shut = False
        self.full = False
        self.deferred = False
        self.pressed = False
        self._corked = 0  # bytes of this step that may be many; while lingering, those that were dropped
        self._dirty = False
        self._ended = False
        self._held = False
        self._outgoing: OutgoingFlow | None = None  # while the peer holds us up
        self._phase = _OPEN
        self._place = -1  # by which the stream is recalled while it dozes
        self._pumping = False
        self._quiet = False  # no message came, and nothing left, since the wheel has looked

    @property
    def is_gone(self) -> bool:
        """Whether the stream is gone."""
        return self._phase == _GONE

    # Corking

    def cork(self, length: int) -> None:
        """Something was framed; `length` is what of it may be large."""
        self._corked += length
        if self._corked >= CORK:
            self._dirty = True
            self.flush()
        elif not self._dirty:
            self._dirty = True
            if not self._pumping:
                self.transport.call_soon(self.flush)

    def push(self) -> None:
        """Something was framed that shall not wait for the end of the step, where nothing came before it."""
        if not self._dirty:
            self._dirty = True
            if not self._pumping:
                self.flush()

    def flush(self) -> None:
        """Write what was framed. While the peer takes nothing it stays in the core, which bounds what it owes."""
        if self._dirty and self._phase == _OPEN and not self.pressed:
            self._write()

    def _write(self) -> None:
        self._dirty = self._quiet = False
        length, self._corked = self._corked, 0
        if length > PIECES:
            pieces = self.core.buffers_to_send()
            if self._outgoing is not None:
                self._outgoing.wrote(sum([len(piece) for piece in pieces]))
            self.reach().write(pieces)
            return
        data = self.core.data_to_send()
        if data:
            if self._outgoing is not None:
                self._outgoing.wrote(len(data))
            if self.wire is not None:
                self.wire.write(data)
            elif not self.transport.rest.write(self._place, self, data):
                self.reach().write(data)

    # Ends

    def _end(self, now: float) -> None:
        """End the stream, if the core says so."""
        if self._phase != _OPEN or not self.core.must_close:
            self._arm(now)
            return
        self.wire.resume_reading()
        if self.core.state is _FAILED and not self._ended:
            if self._dirty:
                self._write()
            self._phase = _LINGERING
            self._corked = 0
            self.wire.write_eof()
            self.transport.timers.arm(self.wire, now + self.core.limits.drain_timeout)
        else:
            self._leave(now)

    def _leave(self, now: float) -> None:
        """Close after what was written; a peer that does not take it is given up in time."""
        if self._phase < _CLOSING:
            if self._dirty:
                self._write()
            self._phase = _CLOSING
            self.reach().close()
            if self.wire.unwritten:
                self._watch(now)
            else:
                self._arm(now)

    def abort(self) -> None:
        """End the stream now."""
        if self.transport is not None and self._phase < _GONE:
            wire = self.reach()
            self._phase = _CLOSING
            self._outgoing = None
            wire.abort()

    # Deadlines

    def _watch(self, now: float) -> None:
        """Expect that the peer takes something of what is unwritten."""
        if self._outgoing is None:
            self._outgoing = OutgoingFlow(self.core.limits.write_timeout)
        self._outgoing.watch(self.wire.unwritten, now)
        self._arm(now)

    def _arm(self, now: float) -> None:
        """Have the wheel look at the earliest deadline that anybody here has."""
        wire = self.reach()
        deadline = NEVER if self._outgoing is None else self._outgoing.deadline
        if self._phase == _OPEN:
            core = self.core
            due = core.next_deadline()
            if due < 0:  # its clock waits for the time
                core.expired(now)
                due = core.next_deadline()
            if due < deadline:
                deadline = due
            if wire.dozes and now + REST_DELAY < deadline:
                deadline = now + REST_DELAY
        elif self._phase == _LINGERING:
            deadline = min(deadline, wire.deadline)
        self.transport.timers.arm(wire, deadline)

    def limit_writes(self) -> None:
        """Set the water marks of `wire`, which is new and has those of its owner."""

    # Dozing

    def reach(self) -> Stream:
        """Return the stream, which is awake then. Not before `take_over`."""
        if self.wire is None:
            self.wire = self.transport.rest.recall(self._place, self)
        return self.wire

    def woken(self, stream: Stream) -> None:
        """Have a stream again."""
        self.wire = stream
        self._place = -1
        self.limit_writes()
        self._quiet = True
        self.transport.timers.arm(stream, self.transport.now() + RESOLUTION)  # a Pong alone keeps nobody awake

    def _is_idle(self) -> bool:
        """Whether nothing is under way that would need the stream."""
        if self.shut or self.full or self.pressed or self._dirty or self._ended or self._held or self._pumping:
            return False
        return self._outgoing is None and self.core.is_resting and not self.wire.unwritten

    def _doze(self) -> bool:
        """Let the stream doze until somebody needs it, if that is possible."""
        self._place = self.wire.doze(self.core.next_deadline())
        if self._place < 0:
            return False
        self.wire = None  # type: ignore[assignment]
        return True
