"""Events, signals and fields: values that compare, hash and show themselves."""

from __future__ import annotations

import pytest

from highper_core.events import (
    END_OF_MESSAGE,
    NEED_DATA,
    PAUSED,
    BytesFragment,
    CloseConnection,
    ConnectionClosed,
    Data,
    EndOfMessage,
    Event,
    InformationalResponse,
    Ping,
    Pong,
    Request,
    Response,
    TextFragment,
)
from highper_core.fields import Fields

LINES = [(b"Host", b"a"), (b"x", b"1"), (b"X", b"2")]


def events() -> list[Event]:
    """Return one event of every kind, each with a value of its own."""
    return [
        Request(method=b"GET", target=b"/", headers=LINES),
        Request(method=b"GET", target=b"/", headers=LINES, http_version=b"1.0"),
        Request(method=b"GET", target=b"/", headers=LINES, content_length=-1),
        Request(method=b"GET", target=b"/", headers=LINES, stream_id=3),
        InformationalResponse(status_code=100),
        Response(status_code=200),
        Response(status_code=200, reason=b"Fine"),
        Response(status_code=200, headers=LINES),
        Data(b"abc"),
        Data(b"abc", stream_id=1),
        EndOfMessage(),
        EndOfMessage(LINES),
        ConnectionClosed(),
        TextFragment("abc"),
        TextFragment("abc", finished=False),
        BytesFragment(b"abc"),
        BytesFragment(b"abc", finished=False),
        BytesFragment(b"abc", stream_id=1),
        Ping(),
        Ping(b"abc"),
        Pong(),
        Pong(b"abc"),
        CloseConnection(),
        CloseConnection(1001),
        CloseConnection(1001, "bye"),
    ]


def test_equal_when_every_part_is() -> None:
    """Same kind and same parts; each differs from every other."""
    for index, event in enumerate(events()):
        for other_index, other in enumerate(events()):
            assert (event == other) is (index == other_index), (event, other)
            if index == other_index:
                assert hash(event) == hash(other)
    assert Request(method=b"GET", target=b"/") != "GET"
    assert Event() == Event()


def test_data_of_any_kind() -> None:
    """Bytes-like content compares by its bytes."""
    assert Data(bytearray(b"abc")) == Data(memoryview(b"abc")) == Data(b"abc")


def test_shown() -> None:
    """A log shows kind and parts."""
    assert repr(Response(status_code=204)) == "Response(204, Fields([]), None, b'1.1')"
    assert repr(ConnectionClosed()) == "ConnectionClosed()"
    assert (repr(NEED_DATA), repr(PAUSED)) == ("NEED_DATA", "PAUSED")
    assert EndOfMessage() == END_OF_MESSAGE


def test_fields_read_alike_in_any_case() -> None:
    """Names are matched without regard to case, order and repetition are kept."""
    fields = Fields(LINES)
    assert (fields.first(b"host"), fields.first(b"x"), fields.first(b"y")) == (b"a", b"1", None)
    assert (fields.all(b"x"), fields.all(b"y")) == ([b"1", b"2"], [])
    assert b"HOST" in fields
    assert b"y" not in fields
    assert "host" not in fields
    assert (list(fields), len(fields), fields[1]) == (LINES, 3, LINES[1])


def test_fields_are_values() -> None:
    """They compare and hash by their lines, and are not copied needlessly."""
    fields = Fields(LINES)
    assert fields == Fields(tuple(LINES))
    assert hash(fields) == hash(Fields(LINES))
    assert fields != LINES
    assert Fields.of(fields) is fields
    assert Fields.of(iter(LINES)) == fields
    assert repr(Fields([(b"a", b"b")])) == "Fields([(b'a', b'b')])"


@pytest.mark.parametrize("cls", [Response, InformationalResponse])
def test_a_status_event_says_what_it_is(cls: type[Response]) -> None:
    """An interim response never equals a final one."""
    other = InformationalResponse if cls is Response else Response
    assert cls(status_code=150) != other(status_code=150)
