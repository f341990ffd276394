# cython: annotation_typing=False
"""The only meeting of a connection, a stream and a clock. It knows each by its interface, and either role.

Bytes go in, events come out, exchanges take them; what exchanges send is framed by the connection and leaves through
the outlet. The pump is flat: a request that waited behind another starts from this loop, never from inside the step
that finished its predecessor. Where others are ready at the same time a stage of all of them is done before the next.
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

from .cycles import Cycles
from .errors import StreamBroken, StreamClosed
from .exchange import Exchange
from .outlet import CLOSING, GONE, LINGERING, TAKEN_OVER
from .stream import Stream
from .timers import NEVER

if TYPE_CHECKING:
    from .interfaces import IApplication
    from .service import Service

__all__ = ["Driver"]


class Driver(Cycles):
    """Moves bytes, events and deadlines between a connection and a stream, whose receiver it becomes.

    Args:
        stream, connection, application: as for `Cycles`.
        service: whose pool it rests in; None for one that does not rest.
    """

    __slots__ = ("service", "_scheduled")

    def __init__(
        self,
        stream: Stream,
        connection: Connection,
        application: IApplication | None = None,
        service: Service | None = None,
    ) -> None:
        Cycles.__init__(self, stream, connection, application)
        self.service = service
        self._scheduled = False

    # The stream's side

    def received(self, data: bytes, now: float) -> None:
        """Parse bytes, start what they complete, and write what that answered."""
        if self.talking:
            if not self._failed:
                self.connection.receive_data(data, now)
                if not self._waiting:
                    self._pump(now)
                elif self.is_crowded():
                    self.incoming.hold(self.stream, self.connection, now)
        elif self.phase == LINGERING and not self.drop(len(data), now):
            self.close(now)

    def proceed(self, now: float) -> None:
        """Begin what was read, and go on when the first steps of all that was read have run."""
        self._waiting = False
        if self._fresh is not None and self.talking:
            try:
                self._begin()
            except BaseException:
                self._pumping = False
                self.schedule()
                raise
            self._waiting = self.stream.give_way()
        if not self._waiting:
            self._put_away()
            self._pump(now)

    def filled(self, count: int, now: float) -> None:
        """Account for content that went straight into its final object."""
        if self.talking:
            self.connection.content_received(count, now)
            self._pump(now)

    def ended(self) -> None:
        """Half-close (RFC 9112 section 9.6): what was asked completely is still answered."""
        now = self.transport.now()
        if self._waiting:
            self.proceed(now)
        self._ended = True
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
            if not self._waiting:
                self._pumping = False
                self._settle(now)
        if self.brief and not self._waiting:
            self._make_room()

    def _pull(self, now: float) -> None:
        connection = self.connection
        while self.talking and not (self._failed or self._waiting):
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
                self._begin_in_turn()
            elif kind is ConnectionClosed:
                self._peer_closed(now)
                return
            else:
                assert isinstance(event, Event)
                self._deliver(event, now)

    def _begin_in_turn(self) -> None:
        self._waiting = self.stream.give_way()
        if not self._waiting:
            self._begin()

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
                self._begin_in_turn()
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

    # Ends

    def _retire(self) -> None:
        """Go back to the pool, once nobody can reach us any more."""
        if self.service is not None and not self.busy and not self._scheduled:
            self.service.retire(self)
