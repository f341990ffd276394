# cython: annotation_typing=False
"""The only meeting of a WebSocket, a stream and a clock. It knows each by its interface, and either role.

Bytes go in, and what comes of them is told to a subclass; what it sends is framed by the core and leaves through the
outlet. Nothing is held while nobody speaks: no buffer, no timer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from highper_core.errors import Fault, RemoteProtocolError
from highper_core.events import NEED_DATA, BytesFragment, CloseConnection, Ping, Pong, TextFragment

from .websocket_outlet import CLOSING, GONE, LINGERING, OPEN, WebSocketOutlet

if TYPE_CHECKING:
    from highper_core.websocket import WebSocket

    from .exchange import Exchange

__all__ = ["WebSocketDriver"]

LINGERED: Final = 1024 * 1024  # bytes that a peer who was told of a fault may still send


class WebSocketDriver(WebSocketOutlet):
    """Moves bytes, events and deadlines between a WebSocket and a stream, whose receiver it becomes.

    A subclass is told what comes by the methods of the first section, inside the read event, and may send or close
    there. It sets `full` to stop the reading, and calls `make_room` to let it go on.
    """

    __slots__ = ()

    def take_over(self, exchange: Exchange, core: WebSocket) -> None:
        """Become the receiver of an exchange's stream, behind its 101, and drive `core` over it.

        Raises:
            StreamClosed: the exchange is closed or the peer is gone.
        """
        self.wire = exchange.stream
        self.transport = self.wire.transport
        self.core = core
        self.limit_writes()
        if exchange.driver is not None:
            exchange.driver.flush()
        self.opened()
        exchange.take_over(self)
        if self._phase == OPEN:
            self._arm(self.transport.now())

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
        now = self.transport.now()
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
        self._watch(self.transport.now())

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
        """Find out which deadline passed, and act on it. Behind a quiet second, doze."""
        quiet = self._quiet
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
        if self._phase == OPEN and quiet and self.wire.dozes and self._is_idle() and self._doze():
            return
        self._quiet = True
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
                self.transport.call_soon(self._go_on)

    def _pull(self) -> bool:
        """Tell what has come; return whether the peer has closed."""
        core = self.core
        while self._phase == OPEN and not (self.full or self.deferred):
            event = core.next_event()
            kind = type(event)
            if kind is TextFragment:
                assert isinstance(event, TextFragment)
                text = event
                self._quiet = False
                self.arrived(text.text, text.finished)
            elif kind is BytesFragment:
                assert isinstance(event, BytesFragment)
                data = event
                self._quiet = False
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
                self.transport.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._phase == OPEN:
            self._pump(self.transport.now())

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
        now = self.transport.now()
        if not self._pumping:
            self.flush()
        if self.full:  # its Close may come behind what nobody takes
            self.make_room()
        self._arm(now)
