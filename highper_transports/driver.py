# cython: annotation_typing=False
"""The only meeting of a connection, a stream and a clock. It knows each by its interface, and either role.

Bytes go in, events come out, exchanges take them; what exchanges send is framed by the connection and leaves through
the outlet. The pump is flat: a request that waited behind another starts from this loop, never from inside the step
that finished its predecessor. Which exchange an event belongs to is told by its `stream_id`; whether a second one may
begin, and in which order answers leave, is the connection's to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from highper_core.connection import Connection
from highper_core.errors import Fault, RemoteProtocolError, remote_error
from highper_core.events import (
    NEED_DATA,
    PAUSED,
    ConnectionClosed,
    Data,
    EndOfMessage,
    Event,
    Request,
)
from highper_core.state import State

from .errors import StreamBroken, StreamBusy, StreamClosed
from .exchange import Exchange
from .open_exchanges import OpenExchanges
from .outlet import CLOSING, GONE, LINGERING, TAKEN_OVER, Outlet
from .stream import Stream
from .timers import NEVER

if TYPE_CHECKING:
    from .interfaces import IApplication
    from .service import Service

__all__ = ["Driver"]

# looked up once: on an enumeration's class it costs more than the comparison
_IDLE, _DONE, _MUST_CLOSE, _CLOSED = State.IDLE, State.DONE, State.MUST_CLOSE, State.CLOSED


class Driver(Outlet):
    """Moves bytes, events and deadlines between a connection and a stream, whose receiver it becomes.

    Args:
        stream: not at rest.
        connection: either role, any engine.
        application: whom a SERVER hands its exchanges to; None for a CLIENT.
        service: whose pool it rests in; None for one that does not rest.

    Attributes:
        exchanges: open ones.
        stopping: answers say `connection: close`.
        ending: after what runs the stream is closed, even where its answer had not said so.
        brief: the stream rests as soon as it may, for there are more drivers than are kept.
    """

    __slots__ = ("application", "service", "exchanges", "stopping", "ending", "brief", "_fresh", "_full", "_scheduled")

    def __init__(
        self,
        stream: Stream,
        connection: Connection,
        application: IApplication | None = None,
        service: Service | None = None,
    ) -> None:
        Outlet.__init__(self, stream, connection)
        self.application = application
        self.service = service
        self.exchanges = OpenExchanges()
        self.stopping = False
        self.ending = False
        self.brief = False
        self._fresh: Exchange | None = None  # its head has arrived, the application has not been told
        self._full = 0  # exchanges whose content waits beyond their window
        self._scheduled = False

    def attach(self, stream: Stream) -> None:
        """Begin anew on `stream`, with a connection that was reset."""
        self._begin_anew(stream)
        self.stopping = False
        self.ending = False
        self._fresh = None
        self._full = 0

    # The stream's side

    def received(self, data: bytes, now: float) -> None:
        """Parse bytes, start what they complete, and write what that answered."""
        if self.talking:
            if not self._failed:
                self.connection.receive_data(data, now)
                self._pump(now)
        elif self.phase == LINGERING and not self.drop(len(data), now):
            self.close(now)

    def filled(self, count: int, now: float) -> None:
        """Account for content that went straight into its final object."""
        if self.talking:
            self.connection.content_received(count, now)
            self._pump(now)

    def ended(self) -> None:
        """Half-close (RFC 9112 section 9.6): what was asked completely is still answered."""
        self._ended = True
        now = self.transport.now()
        if self.phase == LINGERING:
            self.close(now)
        elif self.talking and not self._failed:
            if self.busy and self.is_server and not self.connection.limits.half_close:
                self._disconnect(StreamBroken("the peer ended its side"))
                self.close(now)
            else:
                self.connection.receive_data(b"", now)
                self._pump(now)

    def lost(self, error: BaseException | None) -> None:
        """The stream is gone, and with it every exchange that was open."""
        ours = self.phase == CLOSING
        self._enter(GONE)
        self.outgoing.relax()
        broken: BaseException = StreamClosed("the stream was closed") if ours else StreamBroken("the peer vanished")
        broken.__cause__ = error
        self._disconnect(broken)
        self._retire()

    def writing_resumed(self) -> None:
        """Let writers go on, and requests that waited for room; at the end, wait for the rest to be taken."""
        self.outgoing.relax()
        for exchange in self.exchanges:
            exchange.writable()
        if self.talking and not self.busy:
            self.schedule()
        elif self.phase == CLOSING and self.stream.unwritten:
            now = self.transport.now()
            self.outgoing.watch(self.stream.unwritten, now)
            self.arm(now)

    def expired(self, now: float) -> None:
        """Find out which deadline passed, and act on it."""
        if self.outgoing.stalled(self.stream.unwritten, now):
            self.abort()
        elif now >= self._drain_deadline:
            self.close(now)
        elif self.talking and not (self._failed or self._scheduled or self.holds_back()):
            fault = self.connection.expired(now)
            if fault != Fault.NONE:
                self._fault(remote_error(fault), now)
                self.flush()
            elif not self.busy:
                unwritten = self.stream.unwritten
                if unwritten:
                    self.outgoing.watch(unwritten, now)
                elif self.service is not None and self._may_rest():
                    self.service.rest(self)
                    return
        if self.phase < TAKEN_OVER:
            self.arm(now)

    def _may_rest(self) -> bool:
        return not (self._ended or self._scheduled) and self.connection.is_resting

    def _make_room(self) -> None:
        """Rest at once, where that is possible: enough others are awake. The last thing a call does."""
        if self.talking and not (self.busy or self._failed or self.stream.unwritten) and self._may_rest():
            assert self.service is not None
            self.service.rest(self)

    # The pump

    def schedule(self) -> None:
        """Pump on the next pass of the loop."""
        if not self._scheduled:
            self._scheduled = True
            self.transport.call_soon(self._resume)

    def _resume(self) -> None:
        self._scheduled = False
        if self.talking:
            self._pump(self.transport.now())
        elif self.phase >= TAKEN_OVER:
            self._retire()

    def _pump(self, now: float) -> None:
        self._pumping = True
        try:
            self._pull(now)
        finally:
            self._pumping = False
            self._settle(now)
        if self.brief:
            self._make_room()

    def _pull(self, now: float) -> None:
        connection = self.connection
        while self.talking and not self._failed:
            if self._full or (self.outgoing.paused and not self.busy and self._drain_deadline == NEVER):
                if self._fresh is None:
                    return
                self._begin()
                continue
            try:
                event = connection.next_event()
            except RemoteProtocolError as error:
                if self._fresh is not None:
                    self._begin()
                if self.talking:
                    self._fault(error, now)
                return
            kind = type(event)
            if kind is Request:
                if self._fresh is not None:
                    self._begin()
                assert isinstance(event, Request)
                request = event
                exchange = Exchange.__new__(Exchange)
                exchange._set_up(self, request)
                self.exchanges.add(exchange)
                self.busy = True
                self._fresh = exchange
            elif event is NEED_DATA or event is PAUSED:
                if self._fresh is None:
                    return
                self._begin()
            elif kind is ConnectionClosed:
                self._peer_closed(now)
                return
            else:
                assert isinstance(event, Event)
                self._deliver(event, now)

    def _begin(self) -> None:
        """Hand over the exchange whose head arrived last. It may be finished when this returns."""
        exchange, self._fresh = self._fresh, None
        assert self.application is not None
        assert exchange is not None
        self.application.begin(exchange)

    def _deliver(self, event: Event, now: float) -> None:
        exchange = self.exchanges.find(event.stream_id)
        if exchange is not None:
            exchange.feed(event)
            if exchange is self._fresh and type(event) is EndOfMessage:
                self._begin()
        elif type(event) is EndOfMessage:
            self._next_cycle(now)
        elif isinstance(event, Data) and not self.drop(len(event.data), now):
            self.linger(now)

    def _settle(self, now: float) -> None:
        """Write what is owed, decide whether to read, set the clock."""
        self.flush()
        if self.talking:
            if self._full or self._failed or self.is_crowded():
                self.incoming.hold(self.stream, self.connection, now)
            elif self.incoming.held:
                self.incoming.release(self.stream, self.connection, now)
            self.arm(now)

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
        """The application is done with `exchange`."""
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
        self._fresh = None
        for exchange in self.exchanges:
            if not exchange.disconnected:
                exchange.fail(broken, True)
                if self.application is not None:
                    self.application.disconnected(exchange, broken)

    def _retire(self) -> None:
        """Go back to the pool, once nobody can reach us any more."""
        if self.service is not None and not self.busy and not self._scheduled:
            self.service.retire(self)
