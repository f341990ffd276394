"""Holds what a WebSocket's peer sends until it has been judged, then passes it on to wsproto, frame by frame.

wsproto looks at a header when all of it is there; the gate refuses at the first octet that no frame may have there, and
at a length that passes a bound, before any payload. It only refuses: framing, unmasking and text are wsproto's. What it
passes on at once is a whole header, a run of one frame's payload, or a whole control frame's payload.

Source: RFC 6455 section 5.2.
"""

from __future__ import annotations

from ..errors import Fault
from ..frames import (
    FIN,
    FIRST_OCTET,
    LENGTH,
    LONG_FORM,
    OPCODE,
    RSV1,
    SECOND_OCTET,
    SHORT_FORM,
    Opcode,
    length_fault,
)
from ..limits import Limits
from ..state import Role

__all__ = ["FrameGate"]

_EXTENDED = {SHORT_FORM: 2, LONG_FORM: 8}


class FrameGate:
    """The gate of one WebSocket.

    Args:
        role: our side.
        limits: bounds on frames and messages.
        deflate: compression was agreed on.
    """

    def __init__(self, role: Role, limits: Limits, deflate: bool) -> None:
        self.fault = Fault.NONE
        self.in_message = False
        self.compressed = False
        """The message that is under way, or the last one, came compressed."""
        self._masked = role is Role.SERVER
        self._limits = limits
        self._deflate = deflate
        self._waiting = bytearray()
        self._payload = 0  # octets of the frame's payload still to be passed on
        self._control = False
        self._length = 0  # of the message so far, as its headers announce it

    def __len__(self) -> int:
        return len(self._waiting)

    def receive(self, data: bytes | bytearray | memoryview) -> None:
        """Take octets of the peer."""
        self._waiting += data

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    def admit(self) -> bytes:
        """Return octets that may be passed on, nothing when more must come or a fault was found."""
        if self._payload:
            return self._admit_payload()
        return self._admit_header()

    def _admit_payload(self) -> bytes:
        if self._control and len(self._waiting) < self._payload:
            return b""
        run = self._take(min(self._payload, len(self._waiting)))
        self._payload -= len(run)
        return run

    def _take(self, length: int) -> bytes:
        taken = bytes(self._waiting[:length])
        del self._waiting[:length]
        return taken

    def _admit_header(self) -> bytes:
        waiting = self._waiting
        if not waiting:
            return b""
        first = waiting[0]
        self.fault = Fault(FIRST_OCTET[(self.in_message * 2 + self._deflate) * 256 + first])
        if self.fault or len(waiting) < 2:
            return b""
        control = first & OPCODE >= Opcode.CLOSE
        self.fault = Fault(SECOND_OCTET[(self._masked * 2 + control) * 256 + waiting[1]])
        length = waiting[1] & LENGTH
        extended = _EXTENDED.get(length, 0)
        if self.fault or len(waiting) < 2 + extended:
            return b""
        if extended:
            form, length = length, int.from_bytes(waiting[2 : 2 + extended], "big")
            self.fault = length_fault(form, length)
        if not self.fault and not control:
            self.fault = self._bound_fault(first, length)
        header = 2 + extended + 4 * self._masked
        if self.fault or len(waiting) < header:
            return b""
        self._control = control
        self._payload = length
        if not control:
            self._length = length + (self._length if self.in_message else 0)
            if not self.in_message:
                self.compressed = bool(first & RSV1)
            self.in_message = not first & FIN
        return self._take(header)

    def _bound_fault(self, first: int, length: int) -> Fault:
        """Judge a data frame's length. What comes compressed is measured when it is inflated."""
        limits = self._limits
        if limits.websocket_frame is not None and length > limits.websocket_frame:
            return Fault.FRAME_TOO_LARGE
        if self.compressed if self.in_message else first & RSV1:
            return Fault.NONE
        before = self._length if self.in_message else 0
        too_large = limits.websocket_message is not None and before + length > limits.websocket_message
        return Fault.MESSAGE_TOO_LARGE if too_large else Fault.NONE
