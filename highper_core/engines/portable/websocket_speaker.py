"""The half of a portable WebSocket that speaks: its state, its clocks, and the frames we send.

What is legal when comes from the table of `closing`, what is written from `frames`. A refused event leaves no trace.
"""

from __future__ import annotations

from ...closing import ClosingInput, WebSocketState, next_closing_state
from ...errors import Fault, LocalProtocolError
from ...events import BytesFragment, CloseConnection, Event, Ping, Pong, TextFragment
from ...frames import LONGEST_CONTROL, CloseCode, Opcode, close_payload, serialize_frame
from ...keepalive import Due, KeepAlive
from ...limits import Limits
from ...permessage_deflate import Deflate, Deflater
from ...state import ILLEGAL, Role
from ...websocket import MaskSource, WebSocket

__all__ = ["WebSocketSpeaker"]


class WebSocketSpeaker(WebSocket):
    """State, clocks and output of one WebSocket."""

    def __init__(
        self,
        role: Role,
        limits: Limits,
        deflate: Deflate | None = None,
        mask_source: MaskSource | None = None,
        gather: bool = True,
    ) -> None:
        super().__init__(role, limits, deflate, mask_source, gather)
        self._mask_source = mask_source
        self._deflater: Deflater | None = None
        self._state = WebSocketState.OPEN
        self._fault = Fault.NONE
        self._clock = KeepAlive(limits)
        self._pings = 0  # our own, each with its number
        self._out: list[bytes] = []
        self._pongs = 0  # octets of Pongs in the output
        self._late_pong: bytes | None = None  # the answer to the newest Ping, where there is no room for more
        self._sending: Opcode | None = None  # the message that we are inside
        self._compressing = False

    @property
    def state(self) -> WebSocketState:
        """Where it is in its life."""
        return self._state

    @property
    def latency(self) -> float:
        """Seconds from our last Ping to its Pong; negative before there was one."""
        return self._clock.latency

    def _advance(self, what: ClosingInput) -> None:
        after = next_closing_state(self._state, what)
        assert after != ILLEGAL, f"{what.name} in {self._state.name}"
        self._state = WebSocketState(after)

    # Events in, bytes out

    def send(self, event: Event) -> None:
        """Frame one event into the output."""
        if isinstance(event, TextFragment):
            self._send_fragment(Opcode.TEXT, event.text, event.finished)
        elif isinstance(event, BytesFragment):
            self._send_fragment(Opcode.BINARY, bytes(event.data), event.finished)
        elif isinstance(event, Ping | Pong):
            ping = isinstance(event, Ping)
            self._demand(ClosingInput.SEND_PING if ping else ClosingInput.SEND_PONG)
            if len(event.data) > LONGEST_CONTROL:
                raise LocalProtocolError(Fault.CONTROL_TOO_LONG)
            self._put(Opcode.PING if ping else Opcode.PONG, event.data)
        elif isinstance(event, CloseConnection):
            self._demand(ClosingInput.SEND_CLOSE)
            self._put_close(close_payload(event.code, event.reason))
            self._advance(ClosingInput.SEND_CLOSE)
            self._clock.begin_closing()
        else:
            raise LocalProtocolError(Fault.EVENT_ILLEGAL, f"{type(event).__name__} cannot be sent")

    def send_message(self, message: str | bytes) -> None:
        """Frame a whole message: exactly `send` of one finished fragment, without building it."""
        text = isinstance(message, str)
        self._send_fragment(Opcode.TEXT if text else Opcode.BINARY, message, True)

    def send_framed(self, frames: bytes, compressed: bool = False) -> None:
        """Put a whole message that `frame_message` has framed into the output of a SERVER."""
        self._demand(ClosingInput.SEND_MESSAGE)
        if self.role is not Role.SERVER or self._sending is not None or (compressed and self.deflate is None):
            raise LocalProtocolError(Fault.EVENT_ILLEGAL)
        if compressed and self._deflater is not None:
            self._deflater.reset()
        self._out.append(frames)
        self._clock.spoke = True

    def _send_fragment(self, opcode: Opcode, content: str | bytes, finished: bool) -> None:
        self._demand(ClosingInput.SEND_MESSAGE)
        if self._sending not in (None, opcode):
            raise LocalProtocolError(Fault.EVENT_ILLEGAL, "another kind of message is under way")
        payload = _encoded(content) if isinstance(content, str) else content
        begins = self._sending is None
        if begins:
            self._compressing = self.deflate is not None and self.deflate.compresses(len(payload), finished=finished)
        if self._compressing and self.deflate is not None:
            if self._deflater is None:
                self._deflater = self.deflate.deflater()
            payload = self._deflater.deflate(payload, finished)
        self._put(opcode if begins else Opcode.CONTINUATION, payload, finished, self._compressing and begins)
        self._sending = None if finished else opcode
        self._clock.spoke = True

    def _demand(self, what: ClosingInput) -> None:
        if next_closing_state(self._state, what) == ILLEGAL:
            raise LocalProtocolError(Fault.EVENT_ILLEGAL, f"{what.name} in {self._state.name}")

    def _put(self, opcode: Opcode, payload: bytes, finished: bool = True, compressed: bool = False) -> int:
        mask = b"" if self._mask_source is None else self._mask_source(4)
        if self._mask_source is not None and len(mask) != 4:
            raise ValueError(f"the mask source returned {len(mask)} bytes for 4")
        frame = serialize_frame(opcode, payload, finished=finished, compressed=compressed, mask=mask)
        self._out.append(frame)
        return len(frame)

    def _put_close(self, payload: bytes) -> None:
        """Nothing but Pongs may follow, so the one that waits goes first."""
        self._put_late_pong()
        self._put(Opcode.CLOSE, payload)
        self._sending = None

    def _answer_ping(self, payload: bytes) -> None:
        """Frame the Pong, or keep it for later in place of an older one (RFC 6455 section 5.5.3)."""
        if self._late_pong is not None or self._pongs >= self.limits.websocket_pongs:
            self._late_pong = payload
        else:
            self._pongs += self._put(Opcode.PONG, payload)

    def _put_late_pong(self) -> None:
        if self._late_pong is not None:
            self._put(Opcode.PONG, self._late_pong)
            self._late_pong = None

    def data_to_send(self) -> bytes:
        """Return and forget the framed bytes, joined."""
        return b"".join(self.buffers_to_send())

    def buffers_to_send(self) -> list[bytes]:
        """Return and forget the framed bytes, as the pieces they were framed in."""
        self._put_late_pong()
        out = self._out
        self._out = []
        self._pongs = 0
        return out

    # Failing

    def _fail(self, fault: Fault) -> None:
        """Fail the connection: tell the peer, where it may be told, and read no more (RFC 6455 section 7.1.7)."""
        code = fault.close_code
        if self._state is WebSocketState.OPEN and code is not None and code != CloseCode.ABNORMAL:
            self._put_close(close_payload(code))
        self._fault = fault
        self._advance(ClosingInput.FAULT)
        self._clock.stop()

    # Deadlines

    def next_deadline(self) -> float:
        """Monotonic second at which `expired` wants to be asked."""
        return self._clock.next_deadline()

    def expired(self, now: float) -> Fault:
        """Do what is due: send a Ping, begin to close, or fail."""
        due = self._clock.due(now)
        if due is Due.PING:
            self._pings += 1
            self._put(Opcode.PING, self._own_ping())
        elif due is Due.IDLE:
            self.send(CloseConnection(CloseCode.GOING_AWAY.value))
            return Fault.IDLE_TIMEOUT
        elif due is not Due.NOTHING:
            self._fail(Fault.PONG_TIMEOUT if due is Due.SILENT else Fault.CLOSE_TIMEOUT)
            return self._fault
        return Fault.NONE

    def _own_ping(self) -> bytes:
        return (self._pings & 0xFFFFFFFF).to_bytes(4, "big")

    def pause_reading(self, now: float) -> None:
        """Stop the clocks of the peer's silence: we do not read."""
        self._clock.pause(now)

    def resume_reading(self, now: float) -> None:
        """Start them again."""
        self._clock.resume(now)


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise LocalProtocolError(Fault.TEXT_INVALID, str(error)) from error
