"""The gate: what it admits, what it refuses, and that neither depends on where bytes are cut."""

from __future__ import annotations

import pytest

from highper_core.engines.strict_gate import Expected, StrictGate
from highper_core.errors import Fault
from highper_core.limits import Limits
from highper_core.state import Role
from highper_core.testing import every_split

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
CODED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def admitted(data: bytes, limits: Limits, role: Role = Role.SERVER) -> tuple[bytes, Fault, bytes]:
    """Return what passes the gate, the fault, and what waits behind it; the same for every way of cutting."""
    outcomes = set()
    for pieces in every_split(data):
        gate = StrictGate(role, limits)
        gate.expect_head(b"GET")
        passed = b""
        for piece in pieces:
            gate.receive(piece)
            while more := gate.admit():
                passed += more
        outcomes.add((passed, gate.fault, b"" if gate.fault else gate.waiting()))
    assert len(outcomes) == 1, outcomes
    return outcomes.pop()


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"\r\n",
        HEAD + b"Content-Length: 3\r\n\r\nabc",
        CODED + b"3\r\nabc\r\n0\r\n\r\n",
        CODED + b"3;a=b\r\na\r\n\r\n1\r\n\n\r\n0\r\nX: y\r\nZ:\r\n\r\n",
        CODED + b"0\r\n\r\n",
    ],
)
def test_good_bytes_pass_unchanged(data: bytes) -> None:
    """A message in order goes through as it is; what follows it waits."""
    assert admitted(data, Limits()) == (data, Fault.NONE, b"")
    assert admitted(data + b"GET", Limits()) == (data, Fault.NONE, b"GET")


def test_one_empty_line_is_dropped() -> None:
    """RFC 9112 section 2.2; one only, and only before a request."""
    assert admitted(b"\r\n" + HEAD + b"\r\n", Limits()) == (HEAD + b"\r\n", Fault.NONE, b"")
    assert admitted(b"\r\n\r\n" + HEAD + b"\r\n", Limits())[1] is Fault.REQUEST_LINE_INVALID
    assert admitted(b"\n" + HEAD + b"\r\n", Limits())[1] is Fault.LINE_ENDING_INVALID
    assert admitted(b"\r\nHTTP/1.1 200 OK\r\n\r\n", Limits(), Role.CLIENT)[1] is Fault.STATUS_LINE_INVALID


@pytest.mark.parametrize(
    ("limits", "data", "fault"),
    [
        # the request-line: 15 bytes without its CRLF
        (Limits(request_line=15), b"GET /a HTTP/1.1\r\n", Fault.NONE),
        (Limits(request_line=14), b"GET /a HTTP/1.1\r\n", Fault.REQUEST_LINE_TOO_LONG),
        (Limits(request_line=14), b"GET /aaaaaaaaaa", Fault.REQUEST_LINE_TOO_LONG),
        (Limits(request_line=15, head=17), b"GET /a HTTP/1.1\r\n\r\n", Fault.HOST_MISSING),
        (Limits(request_line=15, head=16), b"GET /a HTTP/1.1\r\n", Fault.HEAD_TOO_LARGE),
        (Limits(request_line=14, head=15), b"GET /a HTTP/1.1\r\n", Fault.HEAD_TOO_LARGE),
        (Limits(request_line=14, head=16), b"GET /a HTTP/1.1\r\n", Fault.REQUEST_LINE_TOO_LONG),
        # a length is judged before what the line says, and before how it ends
        (Limits(request_line=4), b"G\x00T /\n", Fault.REQUEST_LINE_TOO_LONG),
        (Limits(request_line=5), b"G\x00T /\n", Fault.LINE_ENDING_INVALID),
        (Limits(request_line=5), b"GET /\r\n", Fault.REQUEST_LINE_INVALID),
        # fields: HEAD is 17 and 9 bytes
        (Limits(field_line=7), HEAD + b"\r\n", Fault.NONE),
        (Limits(field_line=6), HEAD, Fault.FIELD_TOO_LONG),
        (Limits(head=26), HEAD + b"\r\n", Fault.NONE),
        (Limits(head=25), HEAD, Fault.HEAD_TOO_LARGE),
        (Limits(field_line=9, head=38), HEAD + b"a: bcdefghij", Fault.FIELD_TOO_LONG),
        (Limits(field_line=11, head=38), HEAD + b"a: bcdefghij", Fault.HEAD_TOO_LARGE),
        (Limits(fields=1), HEAD + b"\r\n", Fault.NONE),
        (Limits(fields=1), HEAD + b" no field\r\n", Fault.TOO_MANY_FIELDS),
        (Limits(fields=1), HEAD + b"a: b\n", Fault.LINE_ENDING_INVALID),
        # chunks
        (Limits(chunk_line=5), CODED + b"0;a=b\r\n\r\n", Fault.NONE),
        (Limits(chunk_line=4), CODED + b"0;a=b", Fault.CHUNK_LINE_TOO_LONG),
        (Limits(chunk_line=4), CODED + b"00000", Fault.CHUNK_LINE_TOO_LONG),
        (Limits(chunk_extensions=4), CODED + b"1;a\r\nx\r\n0;b\r\n\r\n", Fault.NONE),
        (Limits(chunk_extensions=3), CODED + b"1;a\r\nx\r\n0;b\r\n", Fault.CHUNK_EXTENSIONS_TOO_LARGE),
        (Limits(content=3), CODED + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", Fault.NONE),
        (Limits(content=2), CODED + b"2\r\nab\r\n1\r\n", Fault.CONTENT_TOO_LARGE),
        (Limits(), CODED + b"1\r\nab", Fault.CHUNK_DATA_UNTERMINATED),
        (Limits(), CODED + b"1\r\na\n", Fault.CHUNK_DATA_UNTERMINATED),
        (Limits(), CODED + b"1\r\na\rb", Fault.CHUNK_DATA_UNTERMINATED),
        (Limits(), CODED + b"1\na", Fault.LINE_ENDING_INVALID),
        (Limits(), CODED + b"1;a=\r1\r\n", Fault.LINE_ENDING_INVALID),
        (Limits(), CODED + b"1;\r\n", Fault.CHUNK_EXTENSION_INVALID),
        # trailers: bounds as for a head, counted anew
        (Limits(head=53), CODED, Fault.HEAD_TOO_LARGE),
        (Limits(head=54), CODED + b"0\r\n" + b"a: b\r\n" * 9 + b"\r\n", Fault.NONE),
        (Limits(head=54), CODED + b"0\r\n" + b"a: b\r\n" * 10, Fault.TRAILERS_TOO_LARGE),
        (Limits(fields=2), CODED + b"0\r\na: b\r\na: b\r\n\r\n", Fault.NONE),
        (Limits(fields=2), CODED + b"0\r\na: b\r\na: b\r\na: b\r\n", Fault.TOO_MANY_FIELDS),
        (Limits(field_line=26), CODED + b"0\r\na: " + b"b" * 24, Fault.FIELD_TOO_LONG),
        (Limits(), CODED + b"0\r\nContent-Length: 5\r\n", Fault.TRAILER_FORBIDDEN),
        (Limits(), CODED + b"0\r\na : b\r\n", Fault.FIELD_NAME_SPACE),
        (Limits(), CODED + b"0\r\na: b\n\r\n", Fault.LINE_ENDING_INVALID),
    ],
)
def test_bounds_and_faults(limits: Limits, data: bytes, fault: Fault) -> None:
    """Each bound to the byte; the nearer of two bounds decides."""
    assert admitted(data, limits)[1] is fault


@pytest.mark.parametrize(
    ("limits", "data", "fault"),
    [
        (Limits(request_line=15), b"HTTP/1.1 200 OK\r\n\r\n", Fault.NONE),
        (Limits(request_line=14), b"HTTP/1.1 200 OK\r\n", Fault.HEAD_TOO_LARGE),
        (Limits(content=5), b"HTTP/1.1 200 OK\r\n\r\nabcde", Fault.NONE),
        (Limits(content=5), b"HTTP/1.1 200 OK\r\n\r\nabcdef", Fault.CONTENT_TOO_LARGE),
    ],
)
def test_bounds_of_a_client(limits: Limits, data: bytes, fault: Fault) -> None:
    """A status-line that is too long is a head that is too large; a close-delimited body is bounded too."""
    passed, found, _ = admitted(data, limits, Role.CLIENT)
    assert found is fault
    if fault is Fault.CONTENT_TOO_LARGE:
        assert passed.endswith(b"abcde")


def test_nothing_passes_after_a_fault() -> None:
    """Nor is anything kept: a refused peer costs no memory."""
    gate = StrictGate(Role.SERVER, Limits())
    gate.expect_head()
    gate.receive(b"bad\r\n" + HEAD)
    assert (gate.admit(), gate.fault) == (b"", Fault.REQUEST_LINE_INVALID)
    held = len(gate)
    gate.receive(HEAD + b"\r\n")
    assert (gate.admit(), len(gate)) == (b"", held)


def test_nothing_passes_unexpected() -> None:
    """A client has asked for nothing yet."""
    gate = StrictGate(Role.CLIENT, Limits())
    gate.receive(b"HTTP/1.1 200 OK\r\n\r\n")
    assert (gate.admit(), gate.expected) == (b"", Expected.NOTHING)


def test_accounted_content_does_not_come_through() -> None:
    """Content that the caller reads itself leaves the rest of the count."""
    gate = StrictGate(Role.SERVER, Limits())
    gate.expect_head()
    gate.receive(HEAD + b"Content-Length: 9\r\n\r\nab")
    gate.admit()
    gate.account(3)
    assert (gate.admit(), gate.remaining, gate.expected) == (b"ab", 4, Expected.CONTENT)
    gate.account(4)
    assert gate.expected is Expected.NOTHING
