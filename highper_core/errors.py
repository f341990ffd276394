"""What can go wrong in a conversation, and what the peer is told.

Every rule of the protocol that a message can break has one `Fault`. Engines agree on faults, never on wording:
a test, a log line and a metric can therefore name the rule without reading English.

    HighperError
    ├─ ProtocolError(fault)            abstract
    │  ├─ LocalProtocolError           our side asked for something illegal; nothing of it was sent
    │  └─ RemoteProtocolError          the peer broke a rule; the fault tells which
    │     ├─ LimitExceeded             a bound of `Limits` was passed
    │     ├─ FramingError              where the message ends cannot be known for certain
    │     ├─ IncompleteMessage         end of input inside a message
    │     └─ HandshakeError            a WebSocket's opening handshake failed
    └─ EngineUnavailable               the engine that was demanded is not built
"""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "EngineUnavailable",
    "Fault",
    "FramingError",
    "HandshakeError",
    "HighperError",
    "IncompleteMessage",
    "LimitExceeded",
    "LocalProtocolError",
    "ProtocolError",
    "RemoteProtocolError",
    "remote_error",
]


class Fault(IntEnum):
    """A rule that was broken. `NONE` is zero so that a cursor in compiled code can return it as "no fault"."""

    NONE = 0

    # Start-line, RFC 9112 sections 2.2, 3 and 4
    LINE_ENDING_INVALID = 1  # a bare CR, a bare LF, or another line end than CRLF
    REQUEST_LINE_INVALID = 2  # not exactly method SP request-target SP HTTP-version
    METHOD_INVALID = 3
    TARGET_INVALID = 4  # a byte no request-target may hold
    TARGET_FORM_INVALID = 5  # a form its method does not allow, or a malformed one
    VERSION_INVALID = 6
    VERSION_UNSUPPORTED = 7
    STATUS_LINE_INVALID = 8

    # Field section, RFC 9110 section 5, RFC 9112 section 5
    FIELD_LINE_INVALID = 10  # no colon
    FIELD_NAME_INVALID = 11  # empty, or not a token
    FIELD_NAME_SPACE = 12  # whitespace between name and colon
    FIELD_VALUE_INVALID = 13  # NUL, another control, or DEL
    FIELD_FOLDED = 14  # obs-fold, or whitespace before the first field

    # Host, RFC 9112 section 3.2
    HOST_MISSING = 20
    HOST_REPEATED = 21
    HOST_INVALID = 22

    # Framing, RFC 9112 section 6
    CONTENT_LENGTH_INVALID = 30
    CONTENT_LENGTH_REPEATED = 31
    CONTENT_LENGTH_WITH_TRANSFER_ENCODING = 32
    TRANSFER_ENCODING_INVALID = 33  # malformed, repeated, or chunked not last
    TRANSFER_ENCODING_UNSUPPORTED = 34
    TRANSFER_ENCODING_IN_HTTP_1_0 = 35
    TRANSFER_ENCODING_FORBIDDEN = 36  # in a 1xx or 204 response, or a 2xx response to CONNECT

    # Chunked coding, RFC 9112 section 7.1
    CHUNK_SIZE_INVALID = 40
    CHUNK_EXTENSION_INVALID = 41
    CHUNK_DATA_UNTERMINATED = 42  # the data is not followed by CRLF
    TRAILER_FORBIDDEN = 43  # a framing, routing or authentication field in the trailer section

    # Semantics, RFC 9110
    EXPECTATION_UNKNOWN = 50
    CONNECTION_INVALID = 51  # a Connection or Upgrade field that is not a list of tokens

    # Bounds of `Limits`
    REQUEST_LINE_TOO_LONG = 60
    FIELD_TOO_LONG = 61
    HEAD_TOO_LARGE = 62
    TOO_MANY_FIELDS = 63
    CONTENT_TOO_LARGE = 64
    CHUNK_LINE_TOO_LONG = 65
    CHUNK_EXTENSIONS_TOO_LARGE = 66
    TRAILERS_TOO_LARGE = 67

    # End of input, RFC 9112 section 8
    HEAD_INCOMPLETE = 70
    CONTENT_INCOMPLETE = 71

    # Conversation
    DATA_UNEXPECTED = 80  # bytes after the conversation ended, or a response nobody asked for

    # Deadlines
    FIRST_BYTE_TIMEOUT = 90
    HEAD_TIMEOUT = 91
    CONTENT_TIMEOUT = 92  # silence inside a message body
    CONTENT_TOO_SLOW = 93  # below the minimum rate
    IDLE_TIMEOUT = 94

    # Our own side
    EVENT_ILLEGAL = 100  # an event its state does not allow
    CONTENT_FORBIDDEN = 101  # content where the status or method allows none
    CONTENT_LENGTH_MISMATCH = 102  # more or fewer bytes than content-length promised
    STATUS_INVALID = 103
    REASON_INVALID = 104

    # Opening handshake of a WebSocket, RFC 6455 section 4
    HANDSHAKE_METHOD_INVALID = 110  # not GET
    HANDSHAKE_UPGRADE_MISSING = 111  # no upgrade to websocket, or not by HTTP/1.1
    HANDSHAKE_VERSION_UNSUPPORTED = 112  # another version than 13
    HANDSHAKE_KEY_INVALID = 113  # not 16 bytes in base64, once
    HANDSHAKE_SUBPROTOCOL_INVALID = 114  # malformed or repeated; for a client, one it did not offer
    HANDSHAKE_EXTENSION_INVALID = 115  # malformed; for a client, one it did not offer
    HANDSHAKE_ACCEPT_INVALID = 116  # the answer does not prove that the server read the key
    HANDSHAKE_DENIED = 117  # another status than 101

    # Frames, RFC 6455 section 5, RFC 7692 section 6
    RESERVED_BIT_SET = 120
    OPCODE_INVALID = 121
    CONTROL_FRAGMENTED = 122
    CONTROL_TOO_LONG = 123  # more than 125 bytes
    CONTINUATION_UNEXPECTED = 124  # of no message
    MESSAGE_INTERRUPTED = 125  # by another, before it ended
    MASK_MISSING = 126  # from a client
    MASK_UNEXPECTED = 127  # from a server
    FRAME_LENGTH_INVALID = 128  # not the shortest form, or above 2**63
    TEXT_INVALID = 129  # not UTF-8
    CLOSE_INVALID = 130  # one byte, or a close code that may not be sent
    CLOSE_REASON_INVALID = 131  # not UTF-8
    DEFLATE_INVALID = 132  # not what DEFLATE makes

    # Bounds of a WebSocket
    FRAME_TOO_LARGE = 140
    MESSAGE_TOO_LARGE = 141

    # End of a WebSocket
    CLOSE_MISSING = 145  # end of input without the closing handshake
    HANDSHAKE_TIMEOUT = 146
    PONG_TIMEOUT = 147
    CLOSE_TIMEOUT = 148

    @property
    def status_hint(self) -> int | None:
        """Status code a server answers this fault with, or None where it just closes."""
        silent = self in _SILENT or self >= Fault.RESERVED_BIT_SET
        return _STATUS.get(self, None if silent else 400)

    @property
    def close_code(self) -> int | None:
        """Close code of a WebSocket that fails by this fault, None where there is none to have one.

        1006 is never sent: it says that there was no closing handshake (RFC 6455 section 7.4.1).
        """
        return _CLOSE_CODE.get(self, 1002 if self >= Fault.RESERVED_BIT_SET else None)


_STATUS = {
    Fault.VERSION_UNSUPPORTED: 505,
    Fault.TRANSFER_ENCODING_UNSUPPORTED: 501,
    Fault.EXPECTATION_UNKNOWN: 417,
    Fault.REQUEST_LINE_TOO_LONG: 414,
    Fault.FIELD_TOO_LONG: 431,
    Fault.HEAD_TOO_LARGE: 431,
    Fault.TOO_MANY_FIELDS: 431,
    Fault.TRAILERS_TOO_LARGE: 431,
    Fault.CONTENT_TOO_LARGE: 413,
    Fault.HEAD_TIMEOUT: 408,
    Fault.CONTENT_TIMEOUT: 408,
    Fault.CONTENT_TOO_SLOW: 408,
    Fault.EVENT_ILLEGAL: 500,
    Fault.CONTENT_FORBIDDEN: 500,
    Fault.CONTENT_LENGTH_MISMATCH: 500,
    Fault.STATUS_INVALID: 500,
    Fault.REASON_INVALID: 500,
    Fault.HANDSHAKE_METHOD_INVALID: 405,
    Fault.HANDSHAKE_UPGRADE_MISSING: 426,
    Fault.HANDSHAKE_VERSION_UNSUPPORTED: 426,
    Fault.HANDSHAKE_ACCEPT_INVALID: None,
    Fault.HANDSHAKE_DENIED: None,
}

_CLOSE_CODE = {
    Fault.IDLE_TIMEOUT: 1001,
    Fault.TEXT_INVALID: 1007,
    Fault.CLOSE_REASON_INVALID: 1007,
    Fault.DEFLATE_INVALID: 1007,
    Fault.FRAME_TOO_LARGE: 1009,
    Fault.MESSAGE_TOO_LARGE: 1009,
    Fault.CLOSE_MISSING: 1006,
    Fault.HANDSHAKE_TIMEOUT: None,
    Fault.PONG_TIMEOUT: 1011,
    Fault.CLOSE_TIMEOUT: 1006,
}

_WEBSOCKET_BOUNDS = (Fault.FRAME_TOO_LARGE, Fault.MESSAGE_TOO_LARGE)
_SILENT = frozenset({Fault.NONE, Fault.FIRST_BYTE_TIMEOUT, Fault.IDLE_TIMEOUT, Fault.DATA_UNEXPECTED})


class HighperError(Exception):
    """Root of everything Highper raises on purpose."""


class ProtocolError(HighperError):
    """A rule of the protocol was broken.

    Args:
        fault: the rule.
        detail: text for a log, with peer bytes already escaped; empty for the fault's own name.
    """

    def __init__(self, fault: Fault, detail: str = "") -> None:
        super().__init__(detail or fault.name.lower().replace("_", " "))
        self.fault = fault

    @property
    def status_hint(self) -> int | None:
        """Status code a server answers with, or None where it just closes."""
        return self.fault.status_hint

    @property
    def close_code(self) -> int | None:
        """Close code of a WebSocket that fails by it."""
        return self.fault.close_code


class LocalProtocolError(ProtocolError):
    """Our own side asked for something illegal. Nothing of it was sent and the state is unchanged."""


class RemoteProtocolError(ProtocolError):
    """The peer broke a rule. Its role is in ERROR from here on and every further call raises the same fault."""


class LimitExceeded(RemoteProtocolError):
    """The peer sent more than `Limits` allows."""


class FramingError(RemoteProtocolError):
    """Where the message ends cannot be known for certain, so nothing after its head may be read."""


class IncompleteMessage(RemoteProtocolError):
    """The input ended inside a message."""


class HandshakeError(RemoteProtocolError):
    """A WebSocket's opening handshake failed. A server answers it with `handshake.refusal`."""


class EngineUnavailable(HighperError):
    """The engine that was demanded cannot be loaded; the text says why."""


def remote_error(fault: Fault, detail: str = "") -> RemoteProtocolError:
    """Return the error whose class fits `fault`."""
    if Fault.CONTENT_LENGTH_INVALID <= fault <= Fault.CHUNK_DATA_UNTERMINATED:
        return FramingError(fault, detail)
    if Fault.REQUEST_LINE_TOO_LONG <= fault <= Fault.TRAILERS_TOO_LARGE or fault in _WEBSOCKET_BOUNDS:
        return LimitExceeded(fault, detail)
    if Fault.HANDSHAKE_METHOD_INVALID <= fault <= Fault.HANDSHAKE_DENIED:
        return HandshakeError(fault, detail)
    if fault in (Fault.HEAD_INCOMPLETE, Fault.CONTENT_INCOMPLETE, Fault.CLOSE_MISSING):
        return IncompleteMessage(fault, detail)
    return RemoteProtocolError(fault, detail)
