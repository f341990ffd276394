"""The frames of a WebSocket: what a header may say, how a frame is written, what a Close may hold.

A header is judged octet by octet, the first and the second by tables that compiled code copies, so that both engines
refuse at the first octet that no frame may have there, with the same fault. Randomness is an argument: whoever masks
brings the key. A frame is written by pure functions, so what is framed once can be sent to many.

Source: RFC 6455 sections 5 and 7.4, RFC 7692 section 6.
"""

from __future__ import annotations

from enum import IntEnum
from struct import pack
from typing import Final

from .errors import Fault, LocalProtocolError

__all__ = [
    "FIRST_OCTET",
    "LONGEST_CONTROL",
    "SECOND_OCTET",
    "CloseCode",
    "Opcode",
    "apply_mask",
    "close_payload",
    "is_close_code",
    "length_fault",
    "parse_close",
    "serialize_frame",
]

FIN: Final = 0x80
RSV1: Final = 0x40
RSV2_RSV3: Final = 0x30
OPCODE: Final = 0x0F
MASKED: Final = 0x80
LENGTH: Final = 0x7F
SHORT_FORM, LONG_FORM = 126, 127  # the length stands in the next two octets, or eight
LONGEST_CONTROL: Final = 125


class Opcode(IntEnum):
    """What a frame is. Source: RFC 6455 section 11.8."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class CloseCode(IntEnum):
    """The registered close codes. Source: RFC 6455 section 7.4.1 and the registry of section 11.7."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS = 1005  # never sent: a Close without a code
    ABNORMAL = 1006  # never sent: no Close at all
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    EXTENSION_MISSING = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_HANDSHAKE = 1015  # never sent


_NEVER_SENT = (CloseCode.NO_STATUS, CloseCode.ABNORMAL, CloseCode.TLS_HANDSHAKE)
_REGISTERED = frozenset(code for code in CloseCode if code not in _NEVER_SENT)
_CONTROLS = (Opcode.CLOSE, Opcode.PING, Opcode.PONG)


# Reading


def _first_octet_fault(octet: int, in_message: bool, deflate: bool) -> Fault:
    opcode = octet & OPCODE
    begins = opcode in (Opcode.TEXT, Opcode.BINARY)
    if octet & RSV2_RSV3 or (octet & RSV1 and not (deflate and begins)):
        return Fault.RESERVED_BIT_SET
    if opcode in _CONTROLS:
        return Fault.NONE if octet & FIN else Fault.CONTROL_FRAGMENTED
    if begins:
        return Fault.MESSAGE_INTERRUPTED if in_message else Fault.NONE
    if opcode == Opcode.CONTINUATION:
        return Fault.NONE if in_message else Fault.CONTINUATION_UNEXPECTED
    return Fault.OPCODE_INVALID


def _second_octet_fault(octet: int, mask_expected: bool, control: bool) -> Fault:
    if bool(octet & MASKED) is not mask_expected:
        return Fault.MASK_MISSING if mask_expected else Fault.MASK_UNEXPECTED
    return Fault.CONTROL_TOO_LONG if control and octet & LENGTH > LONGEST_CONTROL else Fault.NONE


_BOTH = (False, True)

FIRST_OCTET: Final = bytes(
    _first_octet_fault(o, message, deflate) for message in _BOTH for deflate in _BOTH for o in range(256)
)
"""Fault of each first octet, four tables of 256: outside a message, the same with deflate, inside one, with deflate."""
SECOND_OCTET: Final = bytes(
    _second_octet_fault(o, mask, control) for mask in _BOTH for control in _BOTH for o in range(256)
)
"""Fault of each second octet, four tables of 256: no mask expected, that of a control frame, a mask expected, ..."""


def length_fault(form: int, length: int) -> Fault:
    """Judge a length that stands in octets of its own: the shortest form, and no sign bit (RFC 6455 section 5.2)."""
    least = LONGEST_CONTROL + 1 if form == SHORT_FORM else 1 << 16
    return Fault.NONE if least <= length < 1 << 63 else Fault.FRAME_LENGTH_INVALID


def is_close_code(code: int) -> bool:
    """Tell whether a Close may hold `code`: registered and not reserved, a library's, or private."""
    return code in _REGISTERED or 3000 <= code <= 4999


def parse_close(payload: bytes) -> tuple[Fault, int, str]:
    """Return fault, close code and reason of a Close; the code is 1005 where there is none.

    Source: RFC 6455 sections 5.5.1 and 7.4.
    """
    if not payload:
        return Fault.NONE, CloseCode.NO_STATUS.value, ""
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not is_close_code(code):
        return Fault.CLOSE_INVALID, 0, ""
    try:
        return Fault.NONE, code, payload[2:].decode()
    except UnicodeDecodeError:
        return Fault.CLOSE_REASON_INVALID, 0, ""


# Writing


def close_payload(code: int, reason: str = "") -> bytes:
    """Return what a Close holds.

    Args:
        code: close code; 1005 for none.
        reason: up to 123 bytes of UTF-8.

    Raises:
        LocalProtocolError: CLOSE_INVALID, CLOSE_REASON_INVALID, or CONTROL_TOO_LONG.
    """
    if code == CloseCode.NO_STATUS and not reason:
        return b""
    if not is_close_code(code):
        raise LocalProtocolError(Fault.CLOSE_INVALID, f"close code {code} may not be sent")
    try:
        payload = pack(">H", code) + reason.encode()
    except UnicodeEncodeError as error:
        raise LocalProtocolError(Fault.CLOSE_REASON_INVALID, str(error)) from error
    if len(payload) > LONGEST_CONTROL:
        raise LocalProtocolError(Fault.CONTROL_TOO_LONG, f"a close reason of {len(payload) - 2} bytes")
    return payload


def apply_mask(data: bytes, mask: bytes) -> bytes:
    """Return `data` with the four octets of `mask` laid over it, again and again; twice is not at all.

    Cost: two copies, linear. Source: RFC 6455 section 5.3.
    """
    length = len(data)
    key = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(length, "little")


def serialize_frame(
    opcode: int, payload: bytes, *, finished: bool = True, compressed: bool = False, mask: bytes = b""
) -> bytes:
    """Return one frame.

    Args:
        opcode: what it is.
        payload: its data, already compressed where it is to be.
        finished: FIN.
        compressed: RSV1, on the first frame of a compressed message.
        mask: four unpredictable octets for a client, nothing for a server.
    """
    first = opcode | (FIN if finished else 0) | (RSV1 if compressed else 0)
    masked = MASKED if mask else 0
    length = len(payload)
    if length < SHORT_FORM:
        header = pack(">BB", first, masked | length)
    elif length < 1 << 16:
        header = pack(">BBH", first, masked | SHORT_FORM, length)
    else:
        header = pack(">BBQ", first, masked | LONG_FORM, length)
    return header + mask + apply_mask(payload, mask) if mask else header + payload
