"""What we write, and what we refuse to write."""

from __future__ import annotations

import pytest

from highper_core.errors import Fault
from highper_core.events import InformationalResponse, Request, Response
from highper_core.fields import Fields
from highper_core.framing import Framing
from highper_core.writer import FORBIDDEN, UNKNOWN, ContentWriter, Head, trailer_section, write_request, write_response

HOST = (b"host", b"a")
Lines = list[tuple[bytes, bytes]]


def request(*headers: tuple[bytes, bytes], method: bytes = b"GET", target: bytes = b"/", length: int = UNKNOWN) -> Head:
    """Write a request to host `a`."""
    return write_request(Request(method=method, target=target, headers=[HOST, *headers]), length)


def response(
    status: int = 200,
    *headers: tuple[bytes, bytes],
    method: bytes = b"GET",
    version: bytes = b"1.1",
    keep_alive: bool = True,
    length: int = UNKNOWN,
    reason: bytes | None = None,
) -> Head:
    """Write a final response."""
    event = Response(status_code=status, headers=headers, reason=reason)
    return write_response(event, method, version, keep_alive, False, length)


def fields_of(head: Head) -> bytes:
    """Return the written field lines."""
    assert head.fault is Fault.NONE
    return head.data.partition(b"\r\n")[2]


@pytest.mark.parametrize(
    ("head", "data"),
    [
        (request(), b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"),
        (request(length=0), b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"),
        (request(length=5), b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n"),
        (request(method=b"POST", length=0), b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"),
        (request(method=b"POST"), b"POST / HTTP/1.1\r\nhost: a\r\n\r\n"),
        (request((b"X-Y", b""), target=b"http://a/"), b"GET http://a/ HTTP/1.1\r\nhost: a\r\nX-Y: \r\n\r\n"),
        (request(method=b"CONNECT", target=b"a:1", length=0), b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n"),
        (
            request((b"Content-Length", b"3"), length=5),
            b"GET / HTTP/1.1\r\nhost: a\r\nContent-Length: 3\r\n\r\n",
        ),
        (
            request((b"Transfer-Encoding", b"chunked"), length=5),
            b"GET / HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
    ],
)
def test_request_heads(head: Head, data: bytes) -> None:
    """Names as given; a length only where the method anticipates content or there is some."""
    assert (head.fault, head.data) == (Fault.NONE, data)


def test_request_framing() -> None:
    """A request without framing fields has no content."""
    assert (request().framing, request().length) == (Framing.KNOWN_LENGTH, 0)
    assert request((b"transfer-encoding", b"chunked")).framing is Framing.CHUNKED
    assert request((b"content-length", b"7")).length == 7
    assert request(length=7).length == 7
    assert not request((b"connection", b"close")).keep_alive
    assert request((b"connection", b"upgrade"), (b"upgrade", b"toy")).upgrade_proposed


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        (request(method=b""), Fault.METHOD_INVALID),
        (request(method=b"G T"), Fault.METHOD_INVALID),
        (request(target=b""), Fault.TARGET_FORM_INVALID),
        (request(target=b"/ HTTP/1.1\r\nx: y"), Fault.TARGET_INVALID),
        (request(target=b"*"), Fault.TARGET_FORM_INVALID),
        (request((b"", b"x")), Fault.FIELD_NAME_INVALID),
        (request((b"a:", b"x")), Fault.FIELD_NAME_INVALID),
        (request((b"a", b"x\ny")), Fault.FIELD_VALUE_INVALID),
        (request(HOST), Fault.HOST_REPEATED),
        (write_request(Request(method=b"GET", target=b"/")), Fault.HOST_MISSING),
        (request((b"content-length", b"1"), (b"content-length", b"1")), Fault.CONTENT_LENGTH_REPEATED),
        (
            request((b"content-length", b"1"), (b"transfer-encoding", b"chunked")),
            Fault.CONTENT_LENGTH_WITH_TRANSFER_ENCODING,
        ),
        (request((b"transfer-encoding", b"gzip, chunked")), Fault.TRANSFER_ENCODING_UNSUPPORTED),
        (request((b"expect", b"x")), Fault.EXPECTATION_UNKNOWN),
        (request(method=b"CONNECT", target=b"a:1", length=1), Fault.CONTENT_FORBIDDEN),
    ],
)
def test_refused_requests(head: Head, fault: Fault) -> None:
    """What we would refuse to read we refuse to write."""
    assert (head.fault, head.data) == (fault, b"")


@pytest.mark.parametrize(
    ("head", "fields", "framing", "keep_alive"),
    [
        (response(length=5), b"content-length: 5\r\n\r\n", Framing.KNOWN_LENGTH, True),
        (response(length=0), b"content-length: 0\r\n\r\n", Framing.KNOWN_LENGTH, True),
        (response(), b"transfer-encoding: chunked\r\n\r\n", Framing.CHUNKED, True),
        (response(version=b"1.0"), b"connection: close\r\n\r\n", Framing.CLOSE_DELIMITED, False),
        (
            response(200, (b"Transfer-Encoding", b"chunked"), (b"a", b"b"), version=b"1.0"),
            b"a: b\r\nconnection: close\r\n\r\n",
            Framing.CLOSE_DELIMITED,
            False,
        ),
        (
            response(version=b"1.0", length=5, keep_alive=False),
            b"content-length: 5\r\nconnection: close\r\n\r\n",
            Framing.KNOWN_LENGTH,
            False,
        ),
        (
            response(200, (b"Content-Length", b"5"), (b"Connection", b"x, Close")),
            b"Content-Length: 5\r\nConnection: x, Close\r\n\r\n",
            Framing.KNOWN_LENGTH,
            False,
        ),
        (
            response(keep_alive=False),
            b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n",
            Framing.CHUNKED,
            False,
        ),
        (response(204), b"\r\n", Framing.NONE, True),
        (response(204, length=0, keep_alive=False), b"connection: close\r\n\r\n", Framing.NONE, False),
        (response(304, (b"content-length", b"9"), length=0), b"content-length: 9\r\n\r\n", Framing.NONE, True),
        (response(method=b"HEAD"), b"transfer-encoding: chunked\r\n\r\n", Framing.NONE, True),
        (response(method=b"HEAD", version=b"1.0"), b"connection: close\r\n\r\n", Framing.NONE, False),
        (response(method=b"HEAD", length=5), b"content-length: 5\r\n\r\n", Framing.NONE, True),
        (response(method=b"CONNECT", keep_alive=False), b"\r\n", Framing.NONE, True),
        (response(404, method=b"CONNECT", length=0), b"content-length: 0\r\n\r\n", Framing.KNOWN_LENGTH, True),
    ],
)
def test_response_heads(head: Head, fields: bytes, framing: Framing, keep_alive: bool) -> None:
    """The framing that is announced, and whether the connection goes on."""
    assert fields_of(head) == fields
    assert (head.framing, head.keep_alive) == (framing, keep_alive)


@pytest.mark.parametrize(
    ("head", "droppable"),
    [
        (response(204), FORBIDDEN),
        (response(304), FORBIDDEN),
        (response(204, method=b"HEAD"), FORBIDDEN),
        (response(method=b"CONNECT"), FORBIDDEN),
        (response(method=b"HEAD"), UNKNOWN),
        (response(method=b"HEAD", length=5), 5),
    ],
)
def test_content_that_may_be_given_and_is_dropped(head: Head, droppable: int) -> None:
    """In answer to HEAD alone."""
    assert (head.droppable, head.length) == (droppable, 0)


def test_interim_heads() -> None:
    """They carry no framing and say nothing about persistence."""
    early = InformationalResponse(status_code=103, headers=[(b"link", b"</a>")])
    head = write_response(early, b"GET", b"1.1", False, False)
    assert head.data == b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    assert (head.framing, head.keep_alive) == (Framing.NONE, True)
    switching = InformationalResponse(status_code=101, headers=[(b"upgrade", b"toy")])
    assert write_response(switching, b"GET", b"1.1", True, True).fault is Fault.NONE
    assert write_response(switching, b"GET", b"1.1", True, False).fault is Fault.EVENT_ILLEGAL
    assert write_response(early, b"GET", b"1.0", True, False).fault is Fault.EVENT_ILLEGAL
    final = InformationalResponse(status_code=200)
    assert write_response(final, b"GET", b"1.1", True, False).fault is Fault.STATUS_INVALID


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        (response(199), Fault.STATUS_INVALID),
        (response(1000), Fault.STATUS_INVALID),
        (response(reason=b"a\r\nb"), Fault.REASON_INVALID),
        (response(200, (b"a b", b"c")), Fault.FIELD_NAME_INVALID),
        (response(200, (b"a", b"b\r\n\r\n<script>")), Fault.FIELD_VALUE_INVALID),
        (response(200, (b"a", b"\x00")), Fault.FIELD_VALUE_INVALID),
        (response(200, (b"content-length", b"5"), (b"content-length", b"5")), Fault.CONTENT_LENGTH_REPEATED),
        (response(200, (b"content-length", b"-1")), Fault.CONTENT_LENGTH_INVALID),
        (
            response(200, (b"content-length", b"5"), (b"transfer-encoding", b"chunked")),
            Fault.CONTENT_LENGTH_WITH_TRANSFER_ENCODING,
        ),
        (
            response(200, (b"content-length", b"5"), (b"transfer-encoding", b"chunked"), version=b"1.0"),
            Fault.CONTENT_LENGTH_WITH_TRANSFER_ENCODING,
        ),
        (response(200, (b"transfer-encoding", b"gzip, chunked")), Fault.TRANSFER_ENCODING_UNSUPPORTED),
        (response(200, (b"connection", b"a b")), Fault.CONNECTION_INVALID),
        (response(204, (b"content-length", b"0")), Fault.CONTENT_FORBIDDEN),
        (response(204, length=1), Fault.CONTENT_FORBIDDEN),
        (response(304, length=1), Fault.CONTENT_FORBIDDEN),
        (response(204, (b"transfer-encoding", b"chunked")), Fault.TRANSFER_ENCODING_FORBIDDEN),
        (response(200, (b"content-length", b"0"), method=b"CONNECT"), Fault.CONTENT_FORBIDDEN),
        (response(200, (b"transfer-encoding", b"chunked"), method=b"CONNECT"), Fault.TRANSFER_ENCODING_FORBIDDEN),
    ],
)
def test_refused_responses(head: Head, fault: Fault) -> None:
    """A response that would split, smuggle or lie is not written."""
    assert (head.fault, head.data) == (fault, b"")


def content(head: Head, *pieces: bytes, trailers: Lines | None = None) -> tuple[Fault, bytes]:
    """Frame `pieces` and the end after `head`."""
    writer, out = ContentWriter(head), []
    for piece in pieces:
        fault = writer.data(piece, out)
        if fault:
            return fault, b"".join(out)
    fault = writer.end(Fields(trailers or []), out)
    return fault, b"".join(out)


@pytest.mark.parametrize(
    ("head", "pieces", "outcome"),
    [
        (response(length=5), (b"ab", b"", b"cde"), (Fault.NONE, b"abcde")),
        (response(length=5), (b"ab",), (Fault.CONTENT_LENGTH_MISMATCH, b"ab")),
        (response(length=5), (b"abcd", b"ef"), (Fault.CONTENT_LENGTH_MISMATCH, b"abcd")),
        (response(), (b"ab", b"", b"c" * 16), (Fault.NONE, b"2\r\nab\r\n10\r\n" + b"c" * 16 + b"\r\n0\r\n\r\n")),
        (response(), (), (Fault.NONE, b"0\r\n\r\n")),
        (response(version=b"1.0"), (b"ab", b"cd"), (Fault.NONE, b"abcd")),
        (response(204), (), (Fault.NONE, b"")),
        (response(204), (b"",), (Fault.NONE, b"")),
        (response(204), (b"a",), (Fault.CONTENT_FORBIDDEN, b"")),
        (response(method=b"HEAD"), (b"a" * 99,), (Fault.NONE, b"")),
        (response(method=b"HEAD", length=2), (b"a", b"b"), (Fault.NONE, b"")),
        (response(method=b"HEAD", length=2), (), (Fault.NONE, b"")),
        (response(method=b"HEAD", length=2), (b"a", b"bc"), (Fault.CONTENT_LENGTH_MISMATCH, b"")),
        (request(), (b"a",), (Fault.CONTENT_LENGTH_MISMATCH, b"")),
    ],
)
def test_content(head: Head, pieces: tuple[bytes, ...], outcome: tuple[Fault, bytes]) -> None:
    """Held to what the head promised; what is refused leaves no byte."""
    assert content(head, *pieces) == outcome


@pytest.mark.parametrize(
    ("head", "trailers", "outcome"),
    [
        (response(), [(b"X", b"y")], (Fault.NONE, b"0\r\nX: y\r\n\r\n")),
        (response(), [(b"Host", b"y")], (Fault.TRAILER_FORBIDDEN, b"")),
        (response(), [(b"a", b"\n")], (Fault.FIELD_VALUE_INVALID, b"")),
        (response(length=0), [(b"x", b"y")], (Fault.EVENT_ILLEGAL, b"")),
        (response(version=b"1.0"), [(b"x", b"y")], (Fault.NONE, b"")),
        (response(version=b"1.0"), [(b"x y", b"y")], (Fault.FIELD_NAME_INVALID, b"")),
        (response(method=b"HEAD"), [(b"x", b"y")], (Fault.NONE, b"")),
    ],
)
def test_trailers(head: Head, trailers: Lines, outcome: tuple[Fault, bytes]) -> None:
    """They need the chunked coding; where the peer or the method allows none they are judged and dropped."""
    assert content(head, trailers=trailers) == outcome


def test_trailer_section_without_fields() -> None:
    """The usual end of a chunked body."""
    assert trailer_section(Fields()) == (Fault.NONE, b"0\r\n\r\n")


def test_files() -> None:
    """Content that goes by sendfile is accounted for, where the length was told."""
    writer = ContentWriter(response(length=5))
    assert writer.file(-1) is Fault.EVENT_ILLEGAL
    assert writer.file(6) is Fault.CONTENT_LENGTH_MISMATCH
    assert writer.file(5) is Fault.NONE
    assert writer.end(Fields(), []) is Fault.NONE
    assert ContentWriter(response()).file(1) is Fault.EVENT_ILLEGAL
    assert ContentWriter(response(version=b"1.0")).file(1) is Fault.EVENT_ILLEGAL
