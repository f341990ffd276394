"""The only meeting of a connection, a stream and a clock. It knows each by its interface, and either role.

Bytes go in, events come out, exchanges take them; what exchanges send is framed by the connection and corked here: one
write per read event, one per resumed coroutine step. The pump is flat: a request that waited behind another starts
from this loop, never from inside the step that finished its predecessor.

    TALKING --refusal, last answer with bytes unread--> LINGERING --peer done, bound passed--> CLOSING --lost--> GONE
       |  --last answer--> CLOSING            |  --take_over--> TAKEN_OVER (the stream has another receiver)

Lingering (RFC 9112 section 9.6): our side of the stream is closed and what still comes is read and dropped for a
while, because a reset caused by unread bytes could destroy the answer before the peer has read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from highper_core.connection import Connection
from highper_core.errors import Fault, LocalProtocolError, RemoteProtocolError, remote_error
from highper_core.events import (
    NEED_DATA,
    PAUSED,
    ConnectionClosed,
    Data,
    EndOfMessage,
    Event,
    InformationalResponse,
    Request,
    Response,
)
from highper_core.state import Role, State

from .errors import StreamBroken, StreamBusy, StreamClosed
from .exchange import Exchange
from .flow_control import IncomingFlow, OutgoingFlow
from .stream import Receiver, Stream
from .timers import NEVER

if TYPE_CHECKING:
    from .interfaces import IApplication
    from .service import Service

__all__ = ["Driver"]

TALKING: Final = 0
LINGERING: Final = 1
CLOSING: Final = 2
TAKEN_OVER: Final = 3
GONE: Final = 4

CORK: Final = 64 * 1024  # framed bytes beyond which we do not wait for the end of the step
REST_DELAY: Final = 1.0  # quiet seconds after which a connection object goes back to its pool


class Driver(Receiver):
    """Moves bytes, events and deadlines between a connection and a stream.

    Args:
        stream: whose receiver it becomes with `attach`.
        connection: either role, any engine.
        application: whom a SERVER hands its exchanges to; None for a CLIENT.
        service: whose pool it rests in; None for one that does not rest.
    """

    __slots__ = (
        "stream",
        "connection",
        "application",
        "service",
        "transport",
        "exchanges",
        "outgoing",
        "incoming",
        "stopping",
        "phase",
        "is_server",
        "_pumping",
        "_scheduled",
        "_corked",
        "_dirty",
        "_fresh",
        "_full",
        "_ended",
        "_failed",
        "_drained",
        "_drain_deadline",
    )

    def __init__(
        self,
        stream: Stream,
        connection: Connection,
        application: IApplication | None = None,
        service: Service | None = None,
    ) -> None:
        self.connection = connection
        self.application = application
        self.service = service
        self.is_server = connection.role is Role.SERVER
        self.outgoing = OutgoingFlow(connection.limits.write_timeout)
        self.incoming = IncomingFlow()
        self.exchanges: dict[int, Exchange] = {}
        self._scheduled = False
        self.attach(stream)

    def attach(self, stream: Stream) -> None:
        """Begin anew on `stream`, and become its receiver."""
        self.stream = stream
        self.transport = stream.transport
        self.stopping = False
        self.phase = TALKING
        self.outgoing.reset()
        self.incoming.held = False
        self._pumping = False
        self._corked = 0
        self._dirty = False
        self._fresh: Exchange | None = None
        self._full = 0
        self._ended = False
        self._failed = False
        self._drained = 0
        self._drain_deadline = NEVER
        stream.receiver = self

    # The stream's side

    def received(self, data: bytes, now: float) -> None:
        """Parse bytes, start what they complete, and write what that answered."""
        if self.phase == TALKING and not self._failed:
            self.connection.receive_data(data, now)
            self._pump(now)
        elif self.phase == LINGERING:
            self._drained += len(data)
            if self._drained > self.connection.limits.drained_content:
                self._close(now)

    def ended(self) -> None:
        """Half-close (RFC 9112 section 9.6): what was asked completely is still answered."""
        self._ended = True
        now = self.transport.now()
        if self.phase == LINGERING:
            self._close(now)
        elif self.phase == TALKING and not self._failed:
            self.connection.receive_data(b"", now)
            if self.exchanges and not self.connection.limits.half_close:
                self._disconnect(StreamBroken("the peer ended its side"))
                self._close(now)
            else:
                self._pump(now)

    def lost(self, error: BaseException | None) -> None:
        """The stream is gone, and with it every exchange that was open."""
        closed = self.phase in (CLOSING, LINGERING)
        self.phase = GONE
        self.outgoing.relax()
        broken: BaseException = StreamClosed("the stream was closed") if closed else StreamBroken("the peer vanished")
        broken.__cause__ = error
        self._disconnect(broken)
        self._retire()

    def writing_paused(self) -> None:
        """Let writers wait, and watch that the peer takes something."""
        self.outgoing.paused = True
        now = self.transport.now()
        self.outgoing.watch(self.stream.unwritten, now)
        self._arm(now)

    def writing_resumed(self) -> None:
        """Let writers go on, and requests that waited for room."""
        self.outgoing.relax()
        for exchange in self.exchanges.values():
            exchange.writable()
        self.schedule()

    def expired(self, now: float) -> None:
        """Find out which deadline passed, and act on it."""
        if self.outgoing.stalled(self.stream.unwritten, now):
            self.abort()
            return
        if self.phase == LINGERING:
            if now >= self._drain_deadline:
                self._close(now)
        elif self.phase == TALKING:
            if now >= self._drain_deadline:
                self._close(now)
            elif not self._failed:
                self._look(now)
        if self.phase < TAKEN_OVER and self.stream.receiver is self:
            self._arm(now)

    def _look(self, now: float) -> None:
        fault = self.connection.expired(now)
        if fault != Fault.NONE:
            self._fault(remote_error(fault), now)
        elif not self.exchanges:
            unwritten = self.stream.unwritten
            if unwritten:
                self.outgoing.watch(unwritten, now)
            elif self.service is not None and not self._ended and self.connection.is_resting:
                self.service.rest(self)

    # The pump

    def schedule(self) -> None:
        """Pump on the next pass of the loop."""
        if not self._scheduled:
            self._scheduled = True
            self.transport.call_soon(self._resume)

    def _resume(self) -> None:
        self._scheduled = False
        if self.phase == TALKING:
            self._pump(self.transport.now())

    def _pump(self, now: float) -> None:
        self._pumping = True
        try:
            self._pull(now)
        finally:
            self._pumping = False
            self._settle(now)

    def _pull(self, now: float) -> None:
        connection = self.connection
        exchanges = self.exchanges
        while self.phase == TALKING and not self._failed:
            if self._full or (self.outgoing.paused and not exchanges):
                if self._fresh is None:
                    return
                self._begin()
                continue
            try:
                event = connection.next_event()
            except RemoteProtocolError as error:
                if self._fresh is not None:
                    self._begin()
                if self.phase == TALKING:
                    self._fault(error, now)
                return
            kind = type(event)
            if kind is Request and self.is_server:
                if self._fresh is not None:
                    self._begin()
                assert isinstance(event, Request)
                self._fresh = exchanges[event.stream_id] = Exchange(self, event)
            elif kind is EndOfMessage:
                assert isinstance(event, EndOfMessage)
                exchange = exchanges.get(event.stream_id)
                if exchange is None:
                    self._next_cycle()
                else:
                    exchange.feed(event)
                    if exchange is self._fresh:
                        self._begin()
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
        exchange = self.exchanges.get(event.stream_id)
        if exchange is not None:
            exchange.feed(event)
        elif isinstance(event, Data):
            self._drained += len(event.data)
            if self._drained > self.connection.limits.drained_content:
                self._linger(now)

    def _settle(self, now: float) -> None:
        """Write what is owed, decide whether to read, set the clock."""
        if self._dirty:
            self.flush()
        if self.phase == TALKING:
            if self._full or self._failed or self._crowded():
                self.incoming.hold(self.stream, self.connection, now)
            elif self.incoming.held:
                self.incoming.release(self.stream, self.connection, now)
            self._arm(now)

    def _crowded(self) -> bool:
        """Whether more bytes wait unparsed than we hold."""
        if not self.exchanges and not self.outgoing.paused:
            return False
        return self.connection.unparsed > self.connection.limits.pipelined

    def _arm(self, now: float) -> None:
        deadline = self.outgoing.deadline
        if self._drain_deadline < deadline:
            deadline = self._drain_deadline
        if self.phase == TALKING and not self._failed:
            core = self.connection.next_deadline()
            if core < deadline:
                deadline = core
            if not self.exchanges and now + REST_DELAY < deadline:
                deadline = now + REST_DELAY
        self.transport.timers.arm(self.stream, deadline)

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
        if self.phase != TALKING or self._failed or self._ended:
            raise StreamClosed("the connection takes no further request")
        if request.stream_id in self.exchanges:
            raise StreamBusy("an exchange is open")
        if content is None:
            self.connection.send(request)
        else:
            self.connection.send_message(request, content)
        exchange = self.exchanges[request.stream_id] = Exchange(self, request)
        self.cork(0 if content is None else len(content))
        return exchange

    def wants(self, exchange: Exchange) -> None:
        """The application waits for an event of `exchange`: let a peer that waits for a 100 go on."""
        connection = self.connection
        if self.is_server and connection.waiting_for_continue and not exchange.response_started:
            connection.send(InformationalResponse(status_code=100, stream_id=exchange.stream_id))
            self._dirty = True
            self.flush()
            self._arm(self.transport.now())

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
        self.exchanges.pop(exchange.stream_id, None)
        if exchange.full:
            exchange.full = False
            self._full -= 1
        if self.phase >= TAKEN_OVER:
            self._retire()
            return
        if self.phase != TALKING:
            return
        self._next_cycle()
        if self._pumping or self.phase != TALKING:
            return
        if self._ended or self.incoming.held or self.connection.unparsed:
            if self._dirty:
                self.flush()
            self.schedule()
        else:
            self._settle(self.transport.now())

    def _next_cycle(self) -> None:
        """Our part of an exchange ended, or the peer's part of one that we had finished."""
        connection = self.connection
        ours = connection.our_state
        if ours is State.DONE:
            theirs = connection.their_state
            if theirs is State.DONE:
                connection.start_next_cycle()
                self._drained = 0
                self._drain_deadline = NEVER
            elif not self.exchanges:
                self._drain()
        elif ours is State.MUST_CLOSE or ours is State.CLOSED:
            self._last_answer()
        elif ours is not State.IDLE:
            self.abort()

    def _drain(self) -> None:
        """The answer is out, the content is not all in: read and drop the rest, within bounds."""
        now = self.transport.now()
        limits = self.connection.limits
        if not self.is_server or self.connection.content_remaining > limits.drained_content:
            self._linger(now)
        elif self._drain_deadline == NEVER:
            self._drain_deadline = now + limits.drain_timeout

    def _last_answer(self) -> None:
        now = self.transport.now()
        theirs = self.connection.their_state
        if (theirs is State.MUST_CLOSE or theirs is State.CLOSED) and not self.connection.unparsed:
            self._close(now)
        else:
            self._linger(now)

    # Out

    def cork(self, length: int) -> None:
        """Something was framed; `length` is what of it may be large."""
        self._dirty = True
        self._corked += length
        if self._corked >= CORK:
            self.flush()
        elif not self._pumping:
            self.transport.call_soon(self.flush)

    def flush(self) -> None:
        """Write what was framed."""
        if not self._dirty:
            return
        self._dirty = False
        self._corked = 0
        if self.phase == TALKING:
            data = self.connection.data_to_send()
            if data:
                self.outgoing.wrote(len(data))
                self.stream.write(data)

    def parting(self, head: Response) -> Response:
        """Return `head` with `connection: close`, for we are stopping."""
        if b"connection" in head.headers:
            return head
        return Response(
            status_code=head.status_code,
            headers=[*head.headers, (b"connection", b"close")],
            reason=head.reason,
            stream_id=head.stream_id,
        )

    # Ends

    def _fault(self, error: RemoteProtocolError, now: float) -> None:
        """The peer broke a rule, or a deadline."""
        if error.fault == Fault.CONTENT_INCOMPLETE:
            self._failed = True
            self._disconnect(StreamBroken("the peer ended its side inside a message"), error)
            self._close(now)
        elif self.exchanges:
            self._failed = True
            for exchange in list(self.exchanges.values()):
                exchange.fail(error)
        elif self.is_server:
            self._refuse(error, now)
        else:
            self._close(now)

    def _refuse(self, error: RemoteProtocolError, now: float) -> None:
        """Answer a request that could not be read."""
        status = error.status_hint
        if status is None or self._drain_deadline != NEVER:
            self._close(now)
            return
        head = Response(
            status_code=status,
            headers=[(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")],
        )
        try:
            self.connection.send_message(head, f"{error}\n".encode())
        except LocalProtocolError:
            self._close(now)
            return
        self._dirty = True
        self._linger(now)

    def _peer_closed(self, now: float) -> None:
        if self.exchanges:
            for exchange in list(self.exchanges.values()):
                if not self.is_server:
                    exchange.fail(StreamBroken("the peer closed the connection"))
        else:
            self._close(now)

    def _linger(self, now: float) -> None:
        """Close our side, and drop what still comes for a while."""
        self.flush()
        if self.phase != TALKING:
            return
        if self._ended:
            self._close(now)
            return
        limits = self.connection.limits
        self.phase = LINGERING
        if self._drain_deadline == NEVER:
            self._drain_deadline = now + limits.drain_timeout
        self.stream.write_eof()
        self.incoming.release(self.stream, self.connection, now)
        self._arm(now)

    def _close(self, now: float) -> None:
        """Write what was framed, then close; a peer that does not take it is given up in time."""
        self.flush()
        if self.phase in (TALKING, LINGERING):
            self.phase = CLOSING
            self._drain_deadline = NEVER
            self.stream.close()
            if self.phase == CLOSING:
                self.outgoing.watch(self.stream.unwritten, now)
                self._arm(now)

    def abort(self) -> None:
        """End the stream now."""
        if self.phase < TAKEN_OVER:
            self.phase = CLOSING
            self._drain_deadline = NEVER
            self.stream.abort()

    def shutdown(self) -> None:
        """Finish what runs, answer it with `connection: close`, and close; at once where nothing runs."""
        self.stopping = True
        if self.phase == TALKING and not self.exchanges and self.connection.is_resting:
            self._close(self.transport.now())

    def take_over(self, receiver: Receiver) -> None:
        """Give the stream away."""
        now = self.transport.now()
        self.flush()
        data, ended = self.connection.trailing_data
        self.phase = TAKEN_OVER
        stream = self.stream
        self.transport.timers.arm(stream, NEVER)
        stream.receiver = receiver
        self.incoming.release(stream, self.connection, now)
        if data:
            receiver.received(data, now)
        if ended:
            receiver.ended()
        if self.outgoing.paused:
            receiver.writing_paused()

    def _disconnect(self, broken: BaseException, cause: BaseException | None = None) -> None:
        """End every open exchange from the peer's side."""
        if cause is not None:
            broken.__cause__ = cause
        self._fresh = None
        for exchange in list(self.exchanges.values()):
            if not exchange.disconnected:
                exchange.fail(broken, disconnected=True)
                if self.application is not None:
                    self.application.disconnected(exchange, broken)

    def _retire(self) -> None:
        """Go back to the pool, once nobody can reach us any more."""
        if self.service is not None and not self.exchanges and not self._scheduled:
            self.service.retire(self)
