"""An HTTP connection that reads with h11.

The gate hands h11 whole heads, chunk lines, runs of content and trailer sections, all of them judged; h11 finds events
and framing in them. What is written comes from the shared writer, what is legal when from the tables of `state`: so
this engine shows what the compiled one shows. h11 is only ever asked to read, and is built anew for every cycle: it
cannot be reset. A CLIENT shows it the request, on which the reading of the answer depends (RFC 9112 section 6.3).
"""

from __future__ import annotations

from typing import Final

import h11

from ...deadlines import Phase
from ...errors import Fault, LocalProtocolError, remote_error
from ...events import (
    END_OF_MESSAGE,
    NEED_DATA,
    PAUSED,
    ConnectionClosed,
    Data,
    EndOfMessage,
    Event,
    InformationalResponse,
    Request,
    Response,
    Signal,
)
from ...fields import Fields
from ...state import ILLEGAL, Input, Role, State, next_state
from ..strict_gate import Expected, StrictGate
from .speaker import Speaker

__all__ = ["PortableHttpConnection"]

_UNBOUNDED: Final = 1 << 62  # the gate holds the bounds
_BLOCK: Final = bytes(64 * 1024)  # stands for content that h11 does not see
_OWES_NOTHING: Final = (State.DONE, State.MUST_CLOSE, State.CLOSED, State.ERROR)


class PortableHttpConnection(Speaker):
    """One HTTP conversation, either role, read by h11.

    Args:
        role: which side we are.
        limits: bounds it obeys.
    """

    def reset(self) -> None:
        """Become as newly made, keeping role and limits; for a pool."""
        self._gate = StrictGate(self.role, self.limits)
        self._now = 0.0
        self._ended = False
        self._fault = Fault.NONE
        super().reset()

    def _begin_cycle(self) -> None:
        super()._begin_cycle()
        role = h11.SERVER if self.role is Role.SERVER else h11.CLIENT
        self._reader = h11.Connection(role, max_incomplete_event_size=_UNBOUNDED)
        if self.role is Role.SERVER:
            self._gate.expect_head()

    def _asked(self, request: Request, upgrade_proposed: bool) -> None:
        """Show h11 as much of a request of ours as tells it how the answer is to be read."""
        headers = [(b"host", b"-"), (b"upgrade", b"-")] if upgrade_proposed else [(b"host", b"-")]
        self._reader.send(h11.Request(method=request.method, target=b"/", headers=headers))
        self._gate.expect_head(request.method, upgrade_proposed)

    # Bytes in, events out

    def receive_data(self, data: bytes | bytearray | memoryview, now: float = 0.0) -> None:
        """Append bytes from the peer; empty means end of input."""
        if not len(data):
            self._ended = True
            return
        if self._ended:
            raise LocalProtocolError(Fault.EVENT_ILLEGAL, "bytes after the end of input")
        self._now = now
        if self._deadlines.phase is Phase.CONTENT:
            self._deadlines.receive(len(data), now)
        elif self._awaits_head and self._deadlines.phase is not Phase.HEAD:
            self._deadlines.begin_at(Phase.HEAD, now)
        self._gate.receive(data)

    @property
    def _awaits_head(self) -> bool:
        return self.their_state is (State.IDLE if self.role is Role.SERVER else State.SEND_RESPONSE)

    def next_event(self) -> Event | Signal:
        """Return the next event, NEED_DATA or PAUSED."""
        if self._fault:
            raise remote_error(self._fault)
        state = self.their_state
        if state is State.CLOSED:
            return NEED_DATA
        if state in (State.MIGHT_SWITCH_PROTOCOL, State.SWITCHED_PROTOCOL):
            return PAUSED
        if state in (State.DONE, State.MUST_CLOSE) or (self.role is Role.CLIENT and state is State.IDLE):
            return self._after_message(state)
        if self.role is Role.SERVER and state is State.IDLE and self.our_state is not State.IDLE and len(self._gate):
            raise self._failed(Fault.DATA_UNEXPECTED)
        return self._read()

    def _after_message(self, state: State) -> Event | Signal:
        """Nothing more belongs to this message: bytes wait for the next cycle, or are one too many."""
        owing = state is State.DONE or self.our_state not in _OWES_NOTHING
        if len(self._gate):
            if owing and state is not State.IDLE:
                return PAUSED
            raise self._failed(Fault.DATA_UNEXPECTED)
        if self._ended:
            return self._closed()
        return PAUSED if owing and state is not State.IDLE else NEED_DATA

    def _closed(self) -> Event:
        self._advance(self._theirs, Input.CONNECTION_CLOSED)
        self._deadlines.begin(Phase.OFF)
        return ConnectionClosed()

    def _read(self) -> Event | Signal:
        while (event := self._reader.next_event()) is h11.NEED_DATA:
            admitted = self._gate.admit()
            if self._gate.fault:
                raise self._failed(self._gate.fault)
            if admitted:
                self._reader.receive_data(admitted)
            elif not self._ended:
                return NEED_DATA
            elif self._gate.expected is Expected.UNTIL_CLOSE:
                self._reader.receive_data(b"")
            else:
                return self._cut_off()
        return self._translated(event)

    def _cut_off(self) -> Event:
        """The input has ended where a message was expected or not complete."""
        if not self._awaits_head:
            raise self._failed(Fault.CONTENT_INCOMPLETE)
        if len(self._gate) or next_state(self._theirs, self.their_state, Input.CONNECTION_CLOSED) == ILLEGAL:
            raise self._failed(Fault.HEAD_INCOMPLETE)
        return self._closed()

    def _translated(self, event: object) -> Event:
        if isinstance(event, h11.Data):
            self._waiting_for_continue = False
            if self._deadlines.phase is not Phase.CONTENT:
                self._deadlines.begin_at(Phase.CONTENT, self._now)
            return Data(bytes(event.data))
        if isinstance(event, h11.EndOfMessage):
            self._waiting_for_continue = False
            self._deadlines.begin(Phase.OFF)
            self._advance(self._theirs, Input.END_OF_MESSAGE)
            return EndOfMessage(_lines(event.headers)) if event.headers else END_OF_MESSAGE
        if isinstance(event, h11.Request):
            return self._request(event)
        assert isinstance(event, h11.InformationalResponse | h11.Response)
        return self._response(event)

    def _head_lines(self, headers: h11._headers.Headers) -> Fields:
        """Return a head's field lines. h11 lowers the value of Transfer-Encoding; the gate kept it as received."""
        fields = _lines(headers)
        coding = self._gate.coding
        if not coding:
            return fields
        return Fields([(name, coding if name == b"transfer-encoding" else value) for name, value in fields])

    def _request(self, event: h11.Request) -> Request:
        decision = self._gate.decision
        version = _version(event.http_version)
        request = Request(
            method=bytes(event.method),
            target=bytes(event.target),
            headers=self._head_lines(event.headers),
            http_version=version,
            content_length=decision.length,
        )
        self._method = request.method
        self._peer_version = version
        self._keep_alive = self._keep_alive and decision.keep_alive
        self._propose(decision.upgrade_proposed)
        self._waiting_for_continue = decision.expect_continue
        self._begin_content(decision.length != 0 and not decision.expect_continue)
        self._advance(Role.CLIENT, Input.REQUEST)
        return request

    def _response(self, event: h11.InformationalResponse | h11.Response) -> Event:
        decision = self._gate.decision
        response = (InformationalResponse if event.status_code < 200 else Response)(
            status_code=event.status_code,
            headers=self._head_lines(event.headers),
            reason=bytes(event.reason),
            http_version=_version(event.http_version),
        )
        self._keep_alive = self._keep_alive and decision.keep_alive
        self._begin_content(decision.length != 0)
        self._advance(Role.SERVER, self._response_input(response))
        if self.their_state is State.SEND_RESPONSE:
            self._gate.expect_head(self._method, self._upgrade_proposed)
            if len(self._gate):
                self._deadlines.begin_at(Phase.HEAD, self._now)
        return response

    def _begin_content(self, running: bool) -> None:
        if running:
            self._deadlines.begin_at(Phase.CONTENT, self._now)
            self._deadlines.receive(len(self._gate), self._now)
        else:
            self._deadlines.begin(Phase.OFF)

    def _failed(self, fault: Fault) -> Exception:
        self._fault = self._gate.fault = fault
        self._keep_alive = False
        self._states[self._theirs] = State.ERROR
        self._settle()
        self._deadlines.begin(Phase.OFF)
        return remote_error(fault)

    # Cycle

    def start_next_cycle(self) -> None:
        """Begin the next exchange on the same connection."""
        if self.our_state is not State.DONE or self.their_state is not State.DONE:
            raise LocalProtocolError(Fault.EVENT_ILLEGAL, f"no next cycle in {self.our_state.name}")
        self._states = {Role.CLIENT: State.IDLE, Role.SERVER: State.IDLE}
        self._begin_cycle()
        if self.role is Role.SERVER:
            self._deadlines.begin(Phase.HEAD if len(self._gate) else Phase.IDLE)

    @property
    def is_resting(self) -> bool:
        """True when both roles are IDLE, nothing is buffered either way and no message has begun."""
        idle = self.our_state is State.IDLE and self.their_state is State.IDLE
        return idle and not (self._out or len(self._gate) or self._gate.skipped or self._ended)

    @property
    def unparsed(self) -> int:
        """Bytes received and not yet parsed."""
        return len(self._gate)

    @property
    def trailing_data(self) -> tuple[bytes, bool]:
        """Bytes received and not parsed, and whether the input has ended."""
        return self._gate.waiting(), self._ended

    @property
    def content_remaining(self) -> int:
        """Bytes of known-length content still to come and not buffered here, 0 when none, -1 when unknown."""
        if self.their_state is not State.SEND_BODY:
            return 0
        if self._gate.decision.length < 0:
            return -1
        return max(0, self._gate.remaining - len(self._gate))

    def content_received(self, length: int, now: float = 0.0) -> None:
        """Account for `length` bytes of content that the caller read itself; no `Data` is made for them."""
        if not 0 <= length <= self.content_remaining:
            raise LocalProtocolError(Fault.EVENT_ILLEGAL, "more than the content that remains")
        if not length:
            return
        self._now = now
        self._waiting_for_continue = False
        self._deadlines.receive(length, now)
        self._gate.account(length)
        while length:
            block = _BLOCK[:length]
            self._reader.receive_data(block)
            self._reader.next_event()
            length -= len(block)

    # Deadlines

    def next_deadline(self) -> float:
        """Monotonic second at which `expired` wants to be asked; infinity for never."""
        return self._deadlines.next_deadline()

    def expired(self, now: float) -> Fault:
        """Return the fault of the deadline that has passed, or `Fault.NONE`."""
        return self._deadlines.expired(now)

    def pause_reading(self, now: float) -> None:
        """Stop the clocks of a message body."""
        self._deadlines.pause(now)

    def resume_reading(self, now: float) -> None:
        """Start the clocks of a message body again."""
        self._deadlines.resume(now)


def _lines(headers: h11._headers.Headers) -> Fields:
    return Fields([(bytes(name), bytes(value)) for name, value in headers])


def _version(version: bytes) -> bytes:
    return b"1.0" if version == b"1.0" else b"1.1"
