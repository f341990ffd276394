"""A WebSocket that reads with wsproto.

The gate hands wsproto's frame decoder headers and runs of payload, all of them judged. What it makes of them is
inflated here, where output is bounded, and goes on to wsproto's message decoder, which joins fragments and sees that
text is UTF-8. So this engine shows what the compiled one shows.

Source: RFC 6455 section 5.
"""

from __future__ import annotations

from codecs import utf_8_decode
from typing import Any, Final

from wsproto.frame_protocol import (
    Frame,
    FrameDecoder,
    MessageDecoder,
    ParseFailed,
    RsvBits,
)
from wsproto.frame_protocol import (
    Opcode as FrameOpcode,
)

from ...closing import ClosingInput, WebSocketState
from ...errors import Fault, LocalProtocolError, RemoteProtocolError, remote_error
from ...events import (
    NEED_DATA,
    BytesFragment,
    CloseConnection,
    ConnectionClosed,
    Event,
    Ping,
    Pong,
    Signal,
    TextFragment,
)
from ...frames import close_payload, parse_close
from ...limits import Limits
from ...permessage_deflate import Deflate, Inflater
from ...state import Role
from ...websocket import MaskSource
from ..frame_gate import FrameGate
from .websocket_speaker import WebSocketSpeaker

__all__ = ["PortableWebSocket"]

_PIECE: Final = 64 * 1024  # what is inflated at once
_CONTROLS: Final = {FrameOpcode.CLOSE, FrameOpcode.PING, FrameOpcode.PONG}


class _CompressedBit:
    """Lets the bit pass that marks a compressed message. What it marks is inflated behind the frame decoder."""

    def frame_inbound_header(self, *_: object) -> RsvBits:
        return RsvBits(True, False, False)

    def frame_inbound_payload_data(self, _: object, data: bytes) -> bytes:
        return data

    def frame_inbound_complete(self, *_: object) -> None:
        return None


class PortableWebSocket(WebSocketSpeaker):
    """One WebSocket, either role, read by wsproto. Arguments as for `websocket.WebSocket`."""

    def __init__(
        self,
        role: Role,
        limits: Limits,
        deflate: Deflate | None = None,
        mask_source: MaskSource | None = None,
        gather: bool = True,
    ) -> None:
        super().__init__(role, limits, deflate, mask_source, gather)
        self._gate = FrameGate(role, limits, deflate is not None)
        extensions: list[Any] = [] if deflate is None else [_CompressedBit()]
        self._frames = FrameDecoder(role is Role.CLIENT, extensions)
        self._messages = MessageDecoder()
        self._kind = FrameOpcode.TEXT  # of the message that is under way
        self._inflater: Inflater | None = None
        self._inflating: Frame | None = None  # the frame whose payload is being inflated
        self._ending = False  # the end of the message is being inflated
        self._left = 0  # bytes that the message being inflated may still have
        self._gathered = bytearray()
        self._now = 0.0
        self._ended = False
        self._told = False  # that the input has ended

    # Bytes in

    def receive_data(self, data: bytes | bytearray | memoryview, now: float = 0.0) -> None:
        """Append bytes from the peer; empty means end of input."""
        if not len(data):
            self._ended = True
            return
        if self._ended:
            raise LocalProtocolError(Fault.EVENT_ILLEGAL, "bytes after the end of input")
        self._now = now
        self._clock.receive(now)
        if self._state in (WebSocketState.OPEN, WebSocketState.CLOSING):
            self._gate.receive(data)

    @property
    def unparsed(self) -> int:
        """Bytes received and not yet parsed."""
        return len(self._gate)

    @property
    def is_resting(self) -> bool:
        """True when it is OPEN, nothing is buffered either way, and no message is under way in either direction."""
        reading = self._gate.in_message or len(self._gate) or self._frames.header or self._ended
        writing = self._out or self._late_pong is not None or self._sending is not None
        return self._state is WebSocketState.OPEN and not (reading or writing or self._inflating)

    @property
    def must_close(self) -> bool:
        """True when the stream is to be closed once what is framed has been written."""
        if self._state is WebSocketState.CLOSED:
            return self.role is Role.SERVER or self._ended
        return self._state is WebSocketState.FAILED

    # Events out

    def next_event(self) -> Event | Signal:
        """Return the next event, or NEED_DATA."""
        if self._fault:
            raise remote_error(self._fault)
        if self._state is WebSocketState.CLOSED:
            return self._after_close()
        if self._gathered and not self.gather:
            return self._shown_so_far()
        try:
            return self._read()
        except ParseFailed as error:
            raise self._refuse(Fault.TEXT_INVALID, str(error)) from error
        except RemoteProtocolError as error:
            raise self._refuse(error.fault, str(error)) from error

    def _after_close(self) -> Event | Signal:
        if not self._ended or self._told:
            return NEED_DATA
        self._told = True
        self._advance(ClosingInput.END_OF_INPUT)
        self._clock.stop()
        return ConnectionClosed()

    def _refuse(self, fault: Fault, detail: str = "") -> RemoteProtocolError:
        self._fail(fault)
        self._drop()
        return remote_error(fault, detail)

    def _drop(self) -> None:
        self._gate.clear()
        self._gathered.clear()
        self._inflating = None

    def _read(self) -> Event | Signal:
        while True:
            event: Event | None
            if self._inflating is not None:
                event = self._inflate(self._inflating)
            else:
                frame = self._frames.process_buffer()
                if frame is None:
                    if not self._feed():
                        return self._starve()
                    continue
                event = self._data(frame) if frame.opcode not in _CONTROLS else self._control(frame)
            if event is not None:
                return event

    def _feed(self) -> bool:
        """Let the decoder have more; False when there is none."""
        admitted = self._gate.admit()
        if self._gate.fault:
            raise remote_error(self._gate.fault)
        self._frames.receive_bytes(admitted)
        return bool(admitted)

    def _starve(self) -> Signal:
        if self._ended:
            raise remote_error(Fault.CLOSE_MISSING)
        return NEED_DATA

    # Control frames

    def _control(self, frame: Frame) -> Event:
        payload = bytes(frame.payload)  # type: ignore[arg-type]
        if frame.opcode is FrameOpcode.CLOSE:
            return self._close(payload)
        self._advance(ClosingInput.CONTROL)
        if frame.opcode is FrameOpcode.PING:
            self._answer_ping(payload)
            return Ping(payload)
        if payload == self._own_ping():
            self._clock.answered(self._now)
        return Pong(payload)

    def _close(self, payload: bytes) -> Event:
        fault, code, reason = parse_close(payload)
        if fault:
            raise remote_error(fault)
        if self._state is WebSocketState.OPEN:
            self._put_close(close_payload(code))
        self._advance(ClosingInput.CLOSE)
        self._drop()
        if self.role is Role.CLIENT:
            self._clock.begin_closing()
        else:
            self._clock.stop()
        return CloseConnection(code, reason)

    # Data frames

    def _data(self, frame: Frame) -> Event | None:
        begins = frame.opcode is not FrameOpcode.CONTINUATION
        if begins:
            self._kind = frame.opcode
        if not self._gate.compressed:
            return self._show(frame)
        assert self.deflate is not None, "a compressed message, and nothing agreed on"
        if self._inflater is None:
            self._inflater = self.deflate.inflater()
        if begins:
            self._left = -1 if self.limits.websocket_message is None else self.limits.websocket_message
        self._inflating = frame
        self._inflater.receive(bytes(frame.payload))  # type: ignore[arg-type]
        return None

    def _inflate(self, frame: Frame) -> Event | None:
        """Show the next piece of what `frame` inflates to, or its end."""
        inflater = self._inflater
        assert inflater is not None, "nothing to inflate with"
        piece = inflater.inflate(_PIECE if self._left < 0 else min(_PIECE, self._left))
        if piece:
            if self._left >= 0:
                if len(piece) > self._left:
                    raise remote_error(Fault.MESSAGE_TOO_LARGE)
                self._left -= len(piece)
            return self._show(Frame(frame.opcode, piece, False, frame.message_finished))
        if not (frame.frame_finished and frame.message_finished):
            self._inflating = None
            return None
        if not self._ending:
            self._ending = True
            inflater.end()
            return None
        self._ending = False
        self._inflating = None
        inflater.ended()
        return self._show(Frame(frame.opcode, b"", True, True))

    def _show(self, frame: Frame) -> Event | None:
        """Return the fragment that a run of payload makes, or the message that it ends; None for nothing to show."""
        begins = self._messages.opcode is None
        text = self._kind is FrameOpcode.TEXT
        if self.gather and not self._gathered and self._messages.decoder is not None:
            self._gathered += self._messages.decoder.getstate()[0]  # a character of which a part was not shown yet
        shown = self._messages.process_frame(frame._replace(opcode=self._kind if begins else FrameOpcode.CONTINUATION))
        if text and self._messages.decoder is not None and _begins_surrogate(self._messages.decoder.getstate()[0]):
            raise remote_error(Fault.TEXT_INVALID, "half of a surrogate pair")
        if self.gather:
            self._gathered += frame.payload  # type: ignore[arg-type]
            if not shown.message_finished:
                return None
            whole = bytes(self._gathered)
            self._gathered = bytearray()
            self._ended_message()
            return TextFragment(whole.decode()) if text else BytesFragment(whole)
        if shown.message_finished:
            self._ended_message()
        elif not shown.payload:
            return None
        if text:
            return TextFragment(shown.payload, shown.message_finished)  # type: ignore[arg-type]
        return BytesFragment(bytes(shown.payload), shown.message_finished)  # type: ignore[arg-type]

    def _ended_message(self) -> None:
        self._advance(ClosingInput.MESSAGE)
        self._clock.message = self._now

    def _shown_so_far(self) -> Event | Signal:
        """Show what was gathered of a message that is not to be gathered any more."""
        gathered = bytes(self._gathered)
        self._gathered.clear()
        if self._kind is not FrameOpcode.TEXT:
            return BytesFragment(gathered, False)
        text, _ = utf_8_decode(gathered)
        return TextFragment(text, False) if text else self.next_event()


def _begins_surrogate(pending: bytes) -> bool:
    """Tell whether a character that has begun cannot be one. The decoder would wait for its third octet."""
    return len(pending) == 2 and pending[0] == 0xED and pending[1] >= 0xA0
