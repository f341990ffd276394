"""The fast engine stays inside what it was given: no octet is read outside, no work is done twice, no memory is kept.

Work is counted in octets looked at, not in seconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import sys
import tracemalloc

import pytest
from hypothesis import given, settings
from strategies import mutated_requests, mutated_responses, raw_streams

from highper_core import (
    NEED_DATA,
    Connection,
    Data,
    EndOfMessage,
    HttpConnection,
    Limits,
    RemoteProtocolError,
    Request,
    Response,
    Role,
    Signal,
    available,
)

pytestmark = pytest.mark.skipif(available()["fast"] is not None, reason="the fast engine is not built")

POST = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def fast(role: Role = Role.SERVER, **bounds: int) -> Connection:
    return HttpConnection(role, engine="fast", limits=Limits(**bounds))  # type: ignore[arg-type]


def drain(connection: Connection) -> list[object]:
    events: list[object] = []
    while not isinstance(event := connection.next_event(), Signal):
        events.append(event)
    return events


def guarded(data: bytes) -> bytes:
    """Return `data` as an object whose last octet is the last of a page, with a page behind it that none may touch.

    The NUL that CPython puts behind a `bytes` object is the first octet of the forbidden page. The pages are never
    given back, so that no reference left over can point to nothing.
    """
    page = mmap.PAGESIZE
    needed = sys.getsizeof(b"") - 1 + len(data)
    readable = -(-needed // page) * page
    pages = mmap.mmap(-1, readable + page)
    base = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    start = base + readable - needed
    ctypes.memmove(start, id(data), needed)
    ctypes.c_ssize_t.from_address(start).value = 1 << 30  # no reference of ours ends its life
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(base + readable), ctypes.c_size_t(page), 0) == 0
    KEPT.append(pages)
    made = ctypes.cast(start, ctypes.py_object).value
    assert isinstance(made, bytes)
    return made


KEPT: list[mmap.mmap] = []


def check_guarded(role: Role, data: bytes) -> None:
    if not data:
        return
    connection = fast(role)
    if role is Role.CLIENT:
        connection.send_message(Request(method=b"GET", target=b"/", headers=[(b"host", b"a")]))
    connection.receive_data(guarded(data))
    with contextlib.suppress(RemoteProtocolError):
        for event in drain(connection):
            repr(event)


@pytest.mark.skipif(sys.platform != "linux", reason="needs mprotect")
@settings(max_examples=300, deadline=None)
@given(data=mutated_requests() | raw_streams())
def test_no_octet_behind_a_request_is_read(data: bytes) -> None:
    """Scanners never touch the page behind their input; touching it would end this process."""
    check_guarded(Role.SERVER, data)


@pytest.mark.skipif(sys.platform != "linux", reason="needs mprotect")
@settings(max_examples=300, deadline=None)
@given(data=mutated_responses())
def test_no_octet_behind_a_response_is_read(data: bytes) -> None:
    """As above, for a CLIENT."""
    check_guarded(Role.CLIENT, data)


@pytest.mark.skipif(sys.platform != "linux", reason="needs mprotect")
def test_no_octet_behind_any_prefix_is_read() -> None:
    """Nor when a message ends anywhere."""
    whole = (
        POST.replace(b"\r\n\r\n", b"\r\nX-Long: " + b"v" * 70 + b"\r\n\r\n") + b"1f\r\n" + b"x" * 31 + b"\r\n0\r\n\r\n"
    )
    for end in range(1, len(whole)):
        check_guarded(Role.SERVER, whole[:end])


def searched(connection: Connection) -> int:
    return connection.searched  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("length", [1_000, 10_000])
def test_byte_by_byte_head_is_linear(length: int) -> None:
    """Every octet of a dripped head is searched for a line end about once."""
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"v" * length + b"\r\n\r\n"
    connection = fast()
    for index in range(len(head)):
        connection.receive_data(head[index : index + 1])
        connection.next_event()
    assert searched(connection) <= 2 * len(head)


def test_byte_by_byte_chunk_line_is_linear() -> None:
    """The same for a chunk line with an extension."""
    connection = fast(chunk_line=5_000, chunk_extensions=10_000)
    connection.receive_data(POST)
    drain(connection)
    line = b"1;" + b"e" * 4_000 + b"\r\n"
    for index in range(len(line)):
        connection.receive_data(line[index : index + 1])
        assert connection.next_event() is NEED_DATA
    connection.receive_data(b"x\r\n0\r\n\r\n")
    assert [type(event) for event in drain(connection)] == [Data, EndOfMessage]


def test_memory_does_not_grow_with_the_stream() -> None:
    """A long stream of one-octet chunks, never aligned with what arrives, leaves nothing behind."""
    connection = fast()
    connection.receive_data(POST)
    drain(connection)
    piece = b"1\r\nx\r\n" * 500
    peak = []
    for round_number in range(20):
        for start in range(0, len(piece), 7):
            connection.receive_data(piece[start : start + 7])
            drain(connection)
        if round_number == 1:
            tracemalloc.start()
        elif round_number > 1:
            peak.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert connection.unparsed == 0
    assert max(peak) < 64 * 1024


def test_content_is_handed_on_uncopied() -> None:
    """A piece that is nothing but content is the object that arrived."""
    connection = fast()
    connection.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
    drain(connection)
    piece = b"x" * 65536
    connection.receive_data(piece)
    event = connection.next_event()
    assert isinstance(event, Data)
    assert event.data is piece


def test_small_message_is_one_piece() -> None:
    """A head and its small content are framed into one object; large content stays the object it was."""
    connection = fast()
    for content, pieces in ((b"ok", 1), (b"x" * 20_000, 2)):
        connection.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        drain(connection)
        connection.send_message(Response(status_code=200), content)
        framed = connection.buffers_to_send()
        assert len(framed) == pieces
        assert framed[-1].endswith(content)
        connection.start_next_cycle()
    assert framed[-1] is content


def test_large_chunk_is_not_copied() -> None:
    """Chunk-size and CRLF go around a large piece of content, which stays the object it was."""
    connection = fast()
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    drain(connection)
    connection.send(Response(status_code=200))
    connection.data_to_send()
    content = b"x" * 20_000
    connection.send(Data(content))
    framed = connection.buffers_to_send()
    assert framed == [b"4e20\r\n", content, b"\r\n"]
    assert framed[1] is content
