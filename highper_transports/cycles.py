# cython: annotation_typing=False
"""The exchanges of one connection: how they come and go, how a fault or an end reaches them, and what follows one.

Which exchange an event belongs to is told by its `stream_id`; whether a second one may begin, and in which order
answers leave, is the connection's to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from highper_core.connection import Connection
from highper_core.errors import Fault, RemoteProtocolError
from highper_core.events import Request
from highper_core.state import State

from .errors import StreamBroken, StreamBusy, StreamClosed
from .exchange import Exchange
from .open_exchanges import OpenExchanges
from .outlet import TAKEN_OVER, Outlet
from .stream import Stream
from .timers import NEVER

if TYPE_CHECKING:
    from .interfaces import IApplication

__all__ = ["Cycles"]

# looked up once: on an enumeration's class it costs more than the comparison
_IDLE, _DONE, _MUST_CLOSE, _CLOSED = State.IDLE, State.DONE, State.MUST_CLOSE, State.CLOSED


class Cycles(Outlet):
    """Requests and their answers, one cycle after another.

    Args:
        stream: not at rest.
        connection: either role, any engine.
        application: whom a SERVER hands its exchanges to; None for a CLIENT.

    Attributes:
        exchanges: open ones.
        stopping: answers say `connection: close`.
        ending: after what runs the stream is closed, even where its answer had not said so.
        brief: the stream rests as soon as it may, for there are more drivers than are kept.
    """

    __slots__ = ("application", "exchanges", "stopping", "ending", "brief", "_fresh", "_full", "_over", "_waiting")

    def __init__(self, stream: Stream, connection: Connection, application: IApplication | None) -> None:
        Outlet.__init__(self, stream, connection)
        self.application = application
        self.exchanges = OpenExchanges()
        self.brief = False

    def attach(self, stream: Stream) -> None:
        """As `Outlet` does, without an exchange."""
        Outlet.attach(self, stream)
        self.stopping = False
        self.ending = False
        self._fresh: Exchange | None = None  # its head has arrived, the application has not been told
        self._full = 0  # exchanges whose content waits beyond their window
        self._waiting = False  # the stream gave way to others; until then what is written stays corked
        self._over: Exchange | None = None  # one that ended meanwhile

    # What moves bytes and events

    def schedule(self) -> None:
        """Pump on the next pass of the loop."""
        raise NotImplementedError

    def _settle(self, now: float) -> None:
        raise NotImplementedError

    def _make_room(self) -> None:
        raise NotImplementedError

    def _retire(self) -> None:
        raise NotImplementedError

    # Exchanges

    def open(self, request: Request, content: bytes | None = None) -> Exchange:
        """Send a request as CLIENT and return its exchange.

        Args:
            request: head.
            content: whole content, which ends the message; None to `send` Data and EndOfMessage yourself.

        Raises:
            StreamClosed: the connection can take no further request.
            StreamBusy: an exchange is open under this identifier.
            LocalProtocolError: the head is illegal and nothing was framed.
        """
        if not self.talking or self._failed or self._ended or self.stopping:
            raise StreamClosed("the connection takes no further request")
        if self.exchanges.find(request.stream_id) is not None:
            raise StreamBusy("an exchange is open")
        if content is None:
            self.connection.send(request)
        else:
            self.connection.send_message(request, content)
        exchange = Exchange(self, request)
        self.exchanges.add(exchange)
        self.busy = True
        self.cork(0 if content is None else len(content))
        return exchange

    def has_no_room(self, exchange: Exchange) -> None:
        """The application is behind with the content of `exchange`."""
        exchange.full = True
        self._full += 1

    def has_room(self, exchange: Exchange) -> None:
        """The application has caught up."""
        exchange.full = False
        self._full -= 1
        self.schedule()

    def finish(self, exchange: Exchange) -> None:
        """The application is done with `exchange`. One that ends in a turn is put away in the last stage of it."""
        if self._waiting and self._over is None and self.phase < TAKEN_OVER:
            self._over = exchange
            return
        self.stop_filling()
        self.busy = self.exchanges.remove(exchange)
        held = exchange.full  # the pump stopped for it; the end of its content may be all that is left to pull
        if held:
            exchange.full = False
            self._full -= 1
        if self.phase >= TAKEN_OVER:
            self._retire()
        elif self.talking:
            if self._pumping:
                self._next_cycle(0.0)
                return
            now = self.transport.now()
            self._next_cycle(now)
            self._settle(now)
            if self._ended or held or self.connection.unparsed:
                self.schedule()
            elif self.brief:
                self._make_room()

    def _put_away(self) -> None:
        over, self._over = self._over, None
        if over is not None:
            self.finish(over)

    def _next_cycle(self, now: float) -> None:
        """Our part of an exchange ended, or the peer's part of one that we had finished."""
        connection = self.connection
        if not self.ending and connection.renew():
            self._drained = 0
            self._drain_deadline = NEVER
            return
        ours = connection.our_state
        if ours is _DONE:
            if not self.busy:
                self._drain(now or self.transport.now())
        elif ours is _MUST_CLOSE or ours is _CLOSED:
            self.last_answer(now or self.transport.now())
        elif ours is not _IDLE:  # the answer is not complete, and the peer must see that
            self.abort()

    def _drain(self, now: float) -> None:
        """The answer is out, the content is not all in: read and drop the rest, within bounds."""
        if self.ending or self._failed or not self.is_server:
            self.last_answer(now)
        elif self.gives_content_up():
            self.linger(now)
        elif self._drain_deadline == NEVER:
            self._drain_deadline = now + self.connection.limits.drain_timeout

    # Ends

    def _fault(self, error: RemoteProtocolError, now: float) -> None:
        """The peer broke a rule, or a deadline."""
        if error.fault == Fault.CONTENT_INCOMPLETE:
            self._failed = True
            broken = StreamBroken("the peer ended its side inside a message")
            broken.__cause__ = error
            self._disconnect(broken)
            self.close(now)
        elif self.busy:
            self._failed = True
            self.stopping = True
            for exchange in self.exchanges:
                exchange.fail(error)
        elif self._drain_deadline != NEVER:
            self.linger(now)
        elif self.is_server:
            self.refuse(error, now)
        else:
            self.close(now)

    def _peer_closed(self, now: float) -> None:
        """Nothing more will come, and nothing is half read."""
        if not self.busy:
            self.close(now)
        elif not self.is_server:
            for exchange in self.exchanges:
                exchange.fail(StreamBroken("the peer closed the connection"))

    def shutdown(self) -> None:
        """Finish what runs, answer it with `connection: close`, and close; at once where nothing runs."""
        self.stopping = self.ending = True
        if self.talking and not self.busy and self.connection.is_resting:
            self.close(self.transport.now())

    def _disconnect(self, broken: BaseException) -> None:
        """End every open exchange from the peer's side."""
        for unknown in (self._fresh, self._over):  # to the application: not yet, or no more
            if unknown is not None:
                self.busy = self.exchanges.remove(unknown)
        self._fresh = self._over = None
        self._waiting = False
        for exchange in self.exchanges:
            if not exchange.disconnected:
                exchange.fail(broken, True)
                if self.application is not None:
                    self.application.disconnected(exchange, broken)
