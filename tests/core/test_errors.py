"""Faults and the errors that carry them."""

from __future__ import annotations

import pytest

from highper_core.errors import (
    Fault,
    FramingError,
    HandshakeError,
    HighperError,
    IncompleteMessage,
    LimitExceeded,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    remote_error,
)

SILENT = {"NONE", "FIRST_BYTE_TIMEOUT", "IDLE_TIMEOUT", "DATA_UNEXPECTED"} | {
    "HANDSHAKE_ACCEPT_INVALID",
    "HANDSHAKE_DENIED",
    *(fault.name for fault in Fault if fault >= 120),
}
CLOSE_CODES = {
    "IDLE_TIMEOUT": 1001,
    **dict.fromkeys(("TEXT_INVALID", "CLOSE_REASON_INVALID", "DEFLATE_INVALID"), 1007),
    **dict.fromkeys(("FRAME_TOO_LARGE", "MESSAGE_TOO_LARGE"), 1009),
    **dict.fromkeys(("CLOSE_MISSING", "CLOSE_TIMEOUT"), 1006),
    "PONG_TIMEOUT": 1011,
    "HANDSHAKE_TIMEOUT": None,
}
STATUSES = {
    "VERSION_UNSUPPORTED": 505,
    "TRANSFER_ENCODING_UNSUPPORTED": 501,
    "EXPECTATION_UNKNOWN": 417,
    "REQUEST_LINE_TOO_LONG": 414,
    "CONTENT_TOO_LARGE": 413,
    **dict.fromkeys(("FIELD_TOO_LONG", "HEAD_TOO_LARGE", "TOO_MANY_FIELDS", "TRAILERS_TOO_LARGE"), 431),
    **dict.fromkeys(("HEAD_TIMEOUT", "CONTENT_TIMEOUT", "CONTENT_TOO_SLOW"), 408),
    **dict.fromkeys(("EVENT_ILLEGAL", "CONTENT_FORBIDDEN", "CONTENT_LENGTH_MISMATCH"), 500),
    **dict.fromkeys(("STATUS_INVALID", "REASON_INVALID"), 500),
    "HANDSHAKE_METHOD_INVALID": 405,
    **dict.fromkeys(("HANDSHAKE_UPGRADE_MISSING", "HANDSHAKE_VERSION_UNSUPPORTED"), 426),
}
CLASSES = {
    FramingError: {30, 31, 32, 33, 34, 35, 36, 40, 41, 42},
    LimitExceeded: {60, 61, 62, 63, 64, 65, 66, 67, 140, 141},
    IncompleteMessage: {70, 71, 145},
    HandshakeError: set(range(110, 118)),
}


@pytest.mark.parametrize("fault", Fault)
def test_status(fault: Fault) -> None:
    """400 unless a rule has a status of its own; some are not worth an answer."""
    expected = None if fault.name in SILENT else STATUSES.get(fault.name, 400)
    assert fault.status_hint == expected
    assert remote_error(fault).status_hint == expected


@pytest.mark.parametrize("fault", Fault)
def test_close_code(fault: Fault) -> None:
    """1002 unless a rule of WebSockets has a code of its own; HTTP knows none."""
    expected = CLOSE_CODES.get(fault.name, 1002 if fault >= 120 else None)
    assert fault.close_code == expected
    assert remote_error(fault).close_code == expected


@pytest.mark.parametrize("fault", Fault)
def test_class(fault: Fault) -> None:
    """What the peer did has one class per kind of rule."""
    error = remote_error(fault, "detail")
    expected = next((cls for cls, faults in CLASSES.items() if fault in faults), RemoteProtocolError)
    assert type(error) is expected
    assert (error.fault, str(error)) == (fault, "detail")
    assert isinstance(error, ProtocolError)


def test_text() -> None:
    """Without a detail the fault's name says it."""
    error = LocalProtocolError(Fault.STATUS_INVALID)
    assert (str(error), error.status_hint) == ("status invalid", 500)
    assert isinstance(error, HighperError)
    assert not isinstance(error, RemoteProtocolError)
