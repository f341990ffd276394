"""Status codes."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from highper_core.status import REASONS, STATUS_LINES, forbids_content, status_line

RENAMED = {  # RFC 9110 chose other words than the standard library has in some versions
    413: b"Content Too Large",
    414: b"URI Too Long",
    416: b"Range Not Satisfiable",
    422: b"Unprocessable Content",
    203: b"Non-Authoritative Information",
    505: b"HTTP Version Not Supported",
}


def test_phrases_are_the_registered_ones() -> None:
    """Every code the standard library knows is there under its name, but for the joke and the reserved ones."""
    for code in HTTPStatus:
        if code.value != 418:
            assert REASONS[code.value] == RENAMED.get(code.value, code.phrase.encode()), code
    for code_value, reason in RENAMED.items():
        assert REASONS[code_value] == reason


def test_lines_are_written_once() -> None:
    """A registered code without a reason of its own costs no formatting."""
    for code, line in STATUS_LINES.items():
        assert line == b"HTTP/1.1 %d %s\r\n" % (code, REASONS[code])
        assert status_line(code, None) is line


def test_other_reasons() -> None:
    """A reason is taken as given; an unregistered code has an empty one, the space stays (RFC 9112 section 4)."""
    assert status_line(200, b"Fine") == b"HTTP/1.1 200 Fine\r\n"
    assert status_line(200, b"") == b"HTTP/1.1 200 \r\n"
    assert status_line(299, None) == b"HTTP/1.1 299 \r\n"


@pytest.mark.parametrize("code", range(100, 600))
def test_content(code: int) -> None:
    """RFC 9110 section 6.4.1: 1xx, 204 and 304 have none."""
    assert forbids_content(code) == (code < 200 or code in (204, 304))
