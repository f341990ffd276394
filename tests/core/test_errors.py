"""Faults and the errors that carry them."""

from __future__ import annotations

import pytest

from highper_core.errors import (
    Fault,
    FramingError,
    HighperError,
    IncompleteMessage,
    LimitExceeded,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    remote_error,
)

SILENT = {"NONE", "FIRST_BYTE_TIMEOUT", "IDLE_TIMEOUT", "DATA_UNEXPECTED"}
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
}
CLASSES = {
    FramingError: {30, 31, 32, 33, 34, 35, 36, 40, 41, 42},
    LimitExceeded: {60, 61, 62, 63, 64, 65, 66, 67},
    IncompleteMessage: {70, 71},
}


@pytest.mark.parametrize("fault", Fault)
def test_status(fault: Fault) -> None:
    """400 unless a rule has a status of its own; some are not worth an answer."""
    expected = None if fault.name in SILENT else STATUSES.get(fault.name, 400)
    assert fault.status_hint == expected
    assert remote_error(fault).status_hint == expected


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
