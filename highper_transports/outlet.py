# cython: annotation_typing=False
"""The writing half of a driver: what is framed, when it leaves, and how a stream ends.

    TALKING --refusal, last answer with bytes unread--> LINGERING --peer done, bound passed--> CLOSING --lost--> GONE
       |  --last answer--> CLOSING            |  --take_over--> TAKEN_OVER (the stream has another receiver)

Framed bytes are corked: they leave in one write at the end of the read event or coroutine step that framed them, or
at once when they are many.

Lingering (RFC 9112 section 9.6): our side of the stream is closed and what still comes is read and dropped for a
while, because a reset caused by unread bytes could destroy the answer before the peer has read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from highper_core.connection import Connection
from highper_core.errors import LocalProtocolError, RemoteProtocolError
from highper_core.events import InformationalResponse, Response
from highper_core.state import Role, State

from .flow_control import IncomingFlow, OutgoingFlow
from .intake import Intake
from .rest import REST_DELAY
from .stream import Receiver, Stream
from .timers import NEVER

if TYPE_CHECKING:
    from .exchange import Exchange

__all__ = ["CLOSING", "GONE", "LINGERING", "TAKEN_OVER", "TALKING", "Outlet"]

TALKING: Final = 0
LINGERING: Final = 1
CLOSING: Final = 2
TAKEN_OVER: Final = 3
GONE: Final = 4

CORK: Final = 64 * 1024  # framed bytes beyond which we do not wait for the end of the step


class Outlet(Receiver):
    """What a driver writes through.

    Attributes:
        stream: beneath.
        connection: frames what is sent.
        is_server: its role is SERVER.
        transport: of the stream.
        phase: of the stream's life, see above.
        talking: the phase is TALKING.
        outgoing, incoming: pressure, both ways.
        busy: exchanges are open.
        filling: the stream writes content into an intake.
    """

    __slots__ = (
        "stream",
        "connection",
        "is_server",
        "transport",
        "timers",
        "phase",
        "talking",
        "outgoing",
        "incoming",
        "busy",
        "filling",
        "_pumping",
        "_dirty",
        "_corked",
        "_ended",
        "_failed",
        "_drained",
        "_drain_deadline",
    )

    def __init__(self, stream: Stream, connection: Connection) -> None:
        self.connection = connection
        self.is_server = connection.role is Role.SERVER
        self.outgoing = OutgoingFlow(connection.limits.write_timeout)
        self.incoming = IncomingFlow()
        self.attach(stream)

    def attach(self, stream: Stream) -> None:
        """Begin on `stream`, with a connection that is new or was reset."""
        self.stream = stream
        self.transport = stream.transport
        self.timers = self.transport.timers
        self.phase = TALKING
        self.talking = True
        self.busy = False
        self.filling = False
        self.outgoing.reset()
        self.incoming.held = False
        self._pumping = False
        self._dirty = False
        self._corked = 0
        self._ended = False
        self._failed = False
        self._drained = 0
        self._drain_deadline = NEVER
        stream.receiver = self

    def _enter(self, phase: int) -> None:
        self.phase = phase
        self.talking = False

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

    def flush(self) -> None:
        """Write what was framed."""
        if not self._dirty:
            return
        self._dirty = False
        self._corked = 0
        data = self.connection.data_to_send()
        if data and self.talking:
            self.outgoing.wrote(len(data))
            self.stream.write(data)

    def wants(self, exchange: Exchange) -> None:
        """The application waits for an event of `exchange`: let a peer that waits for a 100 go on."""
        connection = self.connection
        if self.is_server and connection.waiting_for_continue and not exchange.response_started:
            connection.send(InformationalResponse(status_code=100, stream_id=exchange.stream_id))
            self._dirty = True
            self.flush()
            self.arm(self.transport.now())

    # Ends

    def parting(self, head: Response) -> Response:
        """Return `head` with `connection: close`, for this is the last answer."""
        if b"connection" in head.headers:
            return head
        return Response(
            status_code=head.status_code,
            headers=[*head.headers, (b"connection", b"close")],
            reason=head.reason,
            stream_id=head.stream_id,
        )

    def refuse(self, error: RemoteProtocolError, now: float) -> None:
        """Answer a request that could not be read."""
        status = error.status_hint
        if status is None:
            self.close(now)
            return
        head = Response(
            status_code=status,
            headers=[(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")],
        )
        try:
            self.connection.send_message(head, f"{error}\n".encode())
        except LocalProtocolError:
            self.close(now)
            return
        self._dirty = True
        self.linger(now)

    def last_answer(self, now: float) -> None:
        """Close after an answer that ends the conversation; linger where bytes may come that nobody reads."""
        theirs = self.connection.their_state
        complete = theirs is State.MUST_CLOSE or theirs is State.CLOSED or theirs is State.DONE
        if (complete and not self.connection.unparsed) or not self.is_server:
            self.close(now)
        else:
            self.linger(now)

    def linger(self, now: float) -> None:
        """Close our side, and drop what still comes for a while."""
        self.flush()
        if self._ended:
            self.close(now)
        elif self.talking:
            self._enter(LINGERING)
            if self._drain_deadline == NEVER:
                self._drain_deadline = now + self.connection.limits.drain_timeout
            self.stream.write_eof()
            self.incoming.release(self.stream, self.connection, now)
            self.arm(now)

    def drop(self, length: int, now: float) -> bool:
        """Count unread bytes that were dropped; return whether that is still within bounds."""
        self._drained += length
        return self._drained <= self.connection.limits.drained_content

    def close(self, now: float) -> None:
        """Write what was framed, then close; a peer that does not take it is given up in time."""
        self.flush()
        if self.talking or self.phase == LINGERING:
            self._enter(CLOSING)
            self._drain_deadline = NEVER
            self.stream.close()
            unwritten = self.stream.unwritten
            if unwritten:
                self.outgoing.watch(unwritten, now)
            self.arm(now)

    def abort(self) -> None:
        """End the stream now."""
        if self.phase < TAKEN_OVER:
            self._enter(CLOSING)
            self._drain_deadline = NEVER
            self.outgoing.relax()
            self.stream.abort()

    def take_over(self, receiver: Receiver) -> None:
        """Give the stream away: write what was framed, hand over what was received and not parsed."""
        now = self.transport.now()
        self.flush()
        data, ended = self.connection.trailing_data
        self._enter(TAKEN_OVER)
        stream = self.stream
        self.timers.arm(stream, NEVER)
        stream.receiver = receiver
        self.incoming.release(stream, self.connection, now)
        if data:
            receiver.received(data, now)
        if ended:
            receiver.ended()
        if self.outgoing.paused:
            receiver.writing_paused()

    # Bounds

    def writing_paused(self) -> None:
        """Let writers wait, and expect that the peer takes something."""
        self.outgoing.paused = True
        now = self.transport.now()
        self.outgoing.watch(self.stream.unwritten, now)
        self.arm(now)

    def is_crowded(self) -> bool:
        """Whether more bytes wait unparsed than we hold."""
        if not self.busy and not self.outgoing.paused:
            return False
        return self.connection.unparsed > self.connection.limits.pipelined

    def holds_back(self) -> bool:
        """Whether requests wait here until the peer takes answers; then its clocks do not count, but our own."""
        return self.outgoing.paused and not self.busy

    def gives_content_up(self) -> bool:
        """Whether more content is to come than would be read for the sake of the next request."""
        return self.is_server and self.connection.content_remaining > self.connection.limits.drained_content

    # Content straight into its final object

    def fill(self, intake: Intake) -> bool:
        """Have the stream write what is missing in `intake`, if that is all of the content and worth it."""
        missing = intake.missing
        if not (self.stream.fills and self.talking) or missing < self.connection.limits.direct_content:
            return False
        if self._failed or self.connection.content_remaining != missing:
            return False
        self.filling = True
        self.stream.receive_into(intake)
        return True

    def stop_filling(self) -> None:
        """Have the stream hand over its bytes again. Idempotent."""
        if self.filling:
            self.filling = False
            self.stream.receive_into(None)

    # Deadlines

    def _core_deadline(self, now: float) -> float:
        """Return the connection's deadline, its clock started if it was waiting for the time."""
        connection = self.connection
        deadline = connection.next_deadline()
        if deadline < 0:
            connection.expired(now)
            deadline = connection.next_deadline()
        return deadline

    def arm(self, now: float) -> None:
        """Set the stream's deadline to the earliest that anybody here has."""
        deadline = self.outgoing.deadline
        if self._drain_deadline < deadline:
            deadline = self._drain_deadline
        if self.talking and not (self._failed or self.holds_back()):
            core = self._core_deadline(now)
            if core < deadline:
                deadline = core
            if not self.busy:
                rest = now + REST_DELAY
                if rest < deadline:
                    deadline = rest
        self.timers.arm(self.stream, deadline)
