"""What the fast engine's field section promises: nothing is made before it is read, and it reads like `Fields`."""

from __future__ import annotations

import gc
import sys

import pytest

from highper_core import Fields, HttpConnection, Limits, Request, Role, available

pytestmark = pytest.mark.skipif(available()["fast"] is not None, reason="the fast engine is not built")

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX-One:  first \t\r\nx-two:\r\nX-ONE: second\r\nX^~: z\r\n\r\n"
LINES = [(b"host", b"a"), (b"x-one", b"first"), (b"x-two", b""), (b"x-one", b"second"), (b"x^~", b"z")]


def received(data: bytes, engine: str = "fast") -> Request:
    connection = HttpConnection(Role.SERVER, engine=engine)
    connection.receive_data(data)
    event = connection.next_event()
    assert isinstance(event, Request)
    return event


def test_reads_like_fields() -> None:
    """Every question has the answer that the portable section gives."""
    fast, portable = received(HEAD).headers, received(HEAD, "portable").headers
    assert type(fast) is not Fields
    assert fast == portable
    assert portable == fast
    assert hash(fast) == hash(portable)
    assert repr(fast) == repr(portable)
    assert (list(fast), len(fast), fast.lines()) == (LINES, 5, LINES)
    assert (fast[1], fast[-1]) == (LINES[1], LINES[-1])
    with pytest.raises(IndexError):
        fast[5]
    assert fast.lines() is fast.lines()


@pytest.mark.parametrize("read_first", [False, True])
def test_looks_up_by_name(read_first: bool) -> None:
    """Names are matched without regard to case, before and after the section was walked."""
    fields = received(HEAD).headers
    if read_first:
        fields.lines()
    assert (fields.first(b"x-one"), fields.first(b"x-two"), fields.first(b"none")) == (b"first", b"", None)
    assert fields.all(b"x-one") == [b"first", b"second"]
    assert (b"X-One" in fields, b"x-on" in fields, "host" in fields) == (True, False, False)
    assert (fields.first(b"x^~"), fields.first(b"x~~"), fields.first(b"x^^")) == (b"z", None, None)


def test_makes_nothing_before_it_is_read() -> None:
    """The section of a request nobody reads owns one block of spans and refers to the bytes it came in."""
    data = HEAD + b""
    references = sys.getrefcount(data)
    event = received(data)
    assert sys.getrefcount(data) == references + 1
    assert event.headers.first(b"host") == b"a"
    assert sys.getrefcount(data) == references + 1
    del event
    gc.collect()
    assert sys.getrefcount(data) == references


def test_does_not_keep_much_alive() -> None:
    """A small head does not keep a large piece of input alive."""
    data = HEAD + HEAD * 1000
    references = sys.getrefcount(data)
    connection = HttpConnection(Role.SERVER, engine="fast", limits=Limits())
    connection.receive_data(data)
    event = connection.next_event()
    connection.reset()
    assert sys.getrefcount(data) == references
    assert isinstance(event, Request)
    assert list(event.headers) == LINES


def test_common_names_exist_once() -> None:
    """Names that most messages carry are shared, however they were spelt."""
    one, other = received(HEAD).headers, received(HEAD.replace(b"Host", b"HOST")).headers
    assert one[0][0] is other[0][0]


def test_cannot_be_made_by_hand() -> None:
    """Spans come from an engine."""
    with pytest.raises(TypeError):
        type(received(HEAD).headers)()
