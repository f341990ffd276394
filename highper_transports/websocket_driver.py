# cython: annotation_typing=False
"""The only meeting of a WebSocket, a stream and a clock. It knows each by its interface, and either role.

    OPEN --both Close frames, or a fault told--> LINGERING or CLOSING --the stream is gone--> GONE

Bytes go in, and what comes of them is told to a subclass; what it sends is framed by the core and corked: it leaves in
one write at the end of the read event or coroutine step that framed it, or at once where it is much. Nothing is held
while nobody speaks: no buffer, no timer, one entry of the stream in the wheel of its transport. That entry is looked at
when it is due, not moved with every message, for what a message moves is always later.

A side that has told a fault lingers: it reads and drops what still comes, because a reset caused by unread bytes could
destroy the Close that tells the peer why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from highper_core.closing import WebSocketState
from highper_core.errors import Fault, RemoteProtocolError
from highper_core.events import (
    NEED_DATA,
    BytesFragment,
    CloseConnection,
    Ping,
    Pong,
    TextFragment,
)
from highper_core.websocket import WebSocket

from .flow_control import OutgoingFlow
from .stream import Receiver, Stream
from .timers import NEVER

if TYPE_CHECKING:
    from .exchange import Exchange

__all__ = ["WebSocketDriver"]

OPEN: Final = 0
LINGERING: Final = 1
CLOSING: Final = 2
GONE: Final = 3

CORK: Final = 64 * 1024  # framed bytes beyond which we do not wait for the end of the step
PIECES: Final = 16 * 1024  # framed bytes beyond which they are not joined to be written
LINGERED: Final = 1024 * 1024  # bytes that a peer who was told of a fault may still send

_FAILED = WebSocketState.FAILED


class WebSocketDriver(Receiver):
    """Moves bytes, events and deadlines between a WebSocket and a stream, whose receiver it becomes.

    A subclass is told what comes by the methods of the first section, inside the read event, and may send or close
    there. It sets `full` to stop the reading, and calls `make_room` to let it go on.

    Attributes:
        core: the protocol's state; None before `take_over`.
        wire: the stream beneath; None before `take_over`.
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
        "wire",
        "_corked",
        "_dirty",
        "_ended",
        "_held",
        "_outgoing",
        "_phase",
        "_pumping",
    )

    def __init__(self) -> None:
        self.core: WebSocket = None  # type: ignore[assignment]  # until `take_over`
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
        self._phase = OPEN
        self._pumping = False

    def take_over(self, exchange: Exchange, core: WebSocket) -> None:
        """Become the receiver of an exchange's stream, behind its 101, and drive `core` over it.

        Raises:
            StreamClosed: the exchange is closed or the peer is gone.
        """
        if exchange.driver is not None:
            exchange.driver.flush()
        self.wire = exchange.stream
        self.core = core
        self.opened()
        exchange.take_over(self)
        if self._phase == OPEN:
            self._arm(self.wire.transport.now())

    def abandon(self) -> None:
        """Know that there will be no stream to take over."""
        if self._phase == OPEN:
            self._phase = GONE
            self._conclude(1006, "")
            self.gone()

    # What a subclass is told

    def opened(self) -> None:
        """Messages can be sent; none has come."""

    def arrived(self, content: str | bytes | bytearray | memoryview, finished: bool) -> None:
        """A message came whole, or, where `core.gather` is off, a piece of it."""
        raise NotImplementedError

    def pinged(self, data: bytes) -> None:
        """A Ping came, and was answered."""

    def ponged(self, data: bytes) -> None:
        """A Pong came."""

    def ending(self, code: int, reason: str) -> None:
        """No message will come any more, and none can be sent.

        Args:
            code: the peer's close code, that of the fault or deadline by which it failed, or 1006 where the stream
                ended without a Close.
            reason: the peer's.

        Told once.
        """

    def relieved(self) -> None:
        """The peer takes again what is written."""

    def gone(self) -> None:
        """The stream is gone. The last call, once."""

    # The stream's side

    def received(self, data: bytes, now: float) -> None:
        """Parse bytes, tell what comes of them, and write what that answered."""
        if self._phase == OPEN:
            self.core.receive_data(data, now)
            self._pump(now)
        elif self._phase == LINGERING:
            self._corked += len(data)
            if self._corked > LINGERED:
                self._leave(now)

    def ended(self) -> None:
        """The peer sends no more: that is a Close, or a fault."""
        now = self.wire.transport.now()
        self._ended = True
        if self._phase == OPEN:
            self.core.receive_data(b"", now)
            self._pump(now)
        elif self._phase == LINGERING:
            self._leave(now)

    def lost(self, error: BaseException | None) -> None:
        """The stream is gone."""
        self._phase = GONE
        self._outgoing = None
        self.pressed = False
        self._conclude(1006, "")
        self.gone()

    def writing_paused(self) -> None:
        """Let writers wait, and expect that the peer takes something."""
        self.pressed = True
        self._watch(self.wire.transport.now())

    def writing_resumed(self) -> None:
        """Let writers go on; at the end, wait for the rest to be taken."""
        self.pressed = False
        if self._phase == CLOSING:
            return
        self._outgoing = None
        if self._phase == OPEN:
            self.flush()
            self.relieved()

    def expired(self, now: float) -> None:
        """Find out which deadline passed, and act on it."""
        outgoing = self._outgoing
        if outgoing is not None and outgoing.stalled(self.wire.unwritten, now):
            self.abort()
        elif self._phase == LINGERING:
            self._leave(now)
        elif self._phase == OPEN and self.core.next_deadline() <= now:
            fault = self.core.expired(now)
            self._dirty = True
            self.flush()
            if fault != Fault.NONE:
                self._conclude(fault.close_code or 1006, "")
                if self.core.must_close:  # who was silent for so long has nothing under way that could destroy it
                    self._leave(now)
        if self._phase <= CLOSING:
            self._arm(now)

    def _conclude(self, code: int, reason: str) -> None:
        if not self.over:
            self.over = self.shut = True
            self.ending(code, reason)

    # The pump

    def _pump(self, now: float) -> None:
        if self._pumping:
            return
        self._pumping = True
        self.deferred = over = False
        try:
            over = self._pull()
        except RemoteProtocolError as error:
            self._dirty = over = True
            self._conclude(error.close_code or 1006, "")
        finally:
            self._pumping = False
            self.flush()
        if over:
            self._end(now)
        elif self._phase == OPEN:
            if self.full != self._held:
                self._hold(now)
            if self.deferred and not self.full and self.core.unparsed:
                self.wire.transport.call_soon(self._go_on)

    def _pull(self) -> bool:
        """Tell what has come; return whether the peer has closed."""
        core = self.core
        while self._phase == OPEN and not (self.full or self.deferred):
            event = core.next_event()
            kind = type(event)
            if kind is TextFragment:
                assert isinstance(event, TextFragment)
                text = event
                self.arrived(text.text, text.finished)
            elif kind is BytesFragment:
                assert isinstance(event, BytesFragment)
                data = event
                self.arrived(data.data, data.finished)
            elif event is NEED_DATA:
                return False
            elif isinstance(event, Ping):
                self._dirty = True
                self.pinged(event.data)
            elif isinstance(event, Pong):
                self.ponged(event.data)
            elif isinstance(event, CloseConnection):
                self._dirty = True
                self._conclude(event.code, event.reason)
                return True
            else:  # ConnectionClosed: the server has ended the stream behind its Close
                return True
        return False

    def make_room(self) -> None:
        """What came was taken: parse and read on, on the next pass."""
        if self.full:
            self.full = False
            if self._phase == OPEN and not self._pumping:
                self.wire.transport.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._phase == OPEN:
            self._pump(self.wire.transport.now())

    def _hold(self, now: float) -> None:
        """Stop reading, or read again; the clocks of the peer's silence stop with it."""
        self._held = self.full
        if self._held:
            self.wire.pause_reading()
            self.core.pause_reading(now)
        else:
            self.core.resume_reading(now)
            self.wire.resume_reading()
            self._arm(now)

    # Sending

    @property
    def is_gone(self) -> bool:
        """Whether the stream is gone."""
        return self._phase == GONE

    def cork(self, length: int) -> None:
        """Something was framed; `length` is what of it may be large."""
        self._corked += length
        if self._corked >= CORK:
            self._dirty = True
            self.flush()
        elif not self._dirty:
            self._dirty = True
            if not self._pumping:
                self.wire.transport.call_soon(self.flush)

    def push(self) -> None:
        """Something was framed that shall not wait for the end of the step, where nothing came before it."""
        if not self._dirty:
            self._dirty = True
            if not self._pumping:
                self.flush()

    def flush(self) -> None:
        """Write what was framed. While the peer takes nothing it stays in the core, which bounds what it owes."""
        if self._dirty and self._phase == OPEN and not self.pressed:
            self._write()

    def _write(self) -> None:
        self._dirty = False
        length, self._corked = self._corked, 0
        if length > PIECES:
            pieces = self.core.buffers_to_send()
            if self._outgoing is not None:
                self._outgoing.wrote(sum([len(piece) for piece in pieces]))
            self.wire.write(pieces)
            return
        data = self.core.data_to_send()
        if data:
            if self._outgoing is not None:
                self._outgoing.wrote(len(data))
            self.wire.write(data)

    def begin_closing(self, code: int, reason: str) -> None:
        """Send Close, and wait for the peer's until the deadline. What is received until then is still told.

        Raises:
            LocalProtocolError: a code or reason that may not be sent.
        """
        if self.shut:
            return
        self.core.send(CloseConnection(code, reason))
        self.shut = True
        self._dirty = True
        now = self.wire.transport.now()
        if not self._pumping:
            self.flush()
        if self.full:  # its Close may come behind what nobody takes
            self.make_room()
        self._arm(now)

    # Ends

    def _end(self, now: float) -> None:
        """End the stream, if the core says so."""
        if self._phase != OPEN or not self.core.must_close:
            self._arm(now)
            return
        self.wire.resume_reading()
        if self.core.state is _FAILED and not self._ended:
            if self._dirty:
                self._write()
            self._phase = LINGERING
            self._corked = 0
            self.wire.write_eof()
            self.wire.transport.timers.arm(self.wire, now + self.core.limits.drain_timeout)
        else:
            self._leave(now)

    def _leave(self, now: float) -> None:
        """Close after what was written; a peer that does not take it is given up in time."""
        if self._phase < CLOSING:
            if self._dirty:
                self._write()
            self._phase = CLOSING
            self.wire.close()
            if self.wire.unwritten:
                self._watch(now)
            else:
                self._arm(now)

    def abort(self) -> None:
        """End the stream now."""
        if self.wire is not None and self._phase < GONE:
            self._phase = CLOSING
            self._outgoing = None
            self.wire.abort()

    # Deadlines

    def _watch(self, now: float) -> None:
        """Expect that the peer takes something of what is unwritten."""
        if self._outgoing is None:
            self._outgoing = OutgoingFlow(self.core.limits.write_timeout)
        self._outgoing.watch(self.wire.unwritten, now)
        self._arm(now)

    def _arm(self, now: float) -> None:
        """Have the wheel look at the earliest deadline that anybody here has."""
        deadline = NEVER if self._outgoing is None else self._outgoing.deadline
        if self._phase == OPEN:
            core = self.core
            due = core.next_deadline()
            if due < 0:  # its clock waits for the time
                core.expired(now)
                due = core.next_deadline()
            if due < deadline:
                deadline = due
        elif self._phase == LINGERING:
            deadline = min(deadline, self.wire.deadline)
        self.wire.transport.timers.arm(self.wire, deadline)
