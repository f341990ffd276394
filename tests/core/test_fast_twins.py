"""What the fast engine has over again in C is what the shared Python says: life cycle, clocks, written heads."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from highper_core import Fault, HttpConnection, Limits, LocalProtocolError, Response, Role, available
from highper_core.state import TABLE, State, settle
from highper_core.writer import write_response

pytestmark = pytest.mark.skipif(available()["fast"] is not None, reason="the fast engine is not built")


def test_table() -> None:
    """The fast engine runs on the shared table."""
    from highper_core.engines.fast import _life

    assert _life.table() == TABLE


def test_settle() -> None:
    """Both sets of joint rules agree over every state and condition."""
    from highper_core.engines.fast import _life

    for client, server, keep_alive, switch in itertools.product(State, State, (False, True), (False, True)):
        expected = settle(client, server, keep_alive=keep_alive, switch_proposed=switch)
        assert _life.settled(client, server, keep_alive, switch) == expected


times = st.floats(min_value=0.0, max_value=1e6, allow_nan=False)
clock_calls = st.lists(
    st.one_of(
        st.tuples(st.just("receive_data"), st.sampled_from([b"GET / ", b"HTTP/1.1\r\nhost: a\r\n", b"x" * 2000])),
        st.tuples(st.just("receive_data"), st.just(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9999\r\n\r\n")),
        st.tuples(st.sampled_from(["pause_reading", "resume_reading", "expired", "next_event"]), st.none()),
    ),
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(calls=clock_calls, data=st.data())
def test_clocks(calls: list[tuple[str, bytes | None]], data: st.DataObject) -> None:
    """Both engines name the same deadline after each call, and the same fault when it passes."""
    connections = [HttpConnection(Role.SERVER, engine=engine) for engine in ("fast", "portable")]
    now = 0.0
    for name, argument in calls:
        now += data.draw(st.floats(min_value=0.0, max_value=20.0))
        results = []
        for connection in connections:
            try:
                method = getattr(connection, name)
                result = method(argument, now) if argument else method() if name == "next_event" else method(now)
            except Exception as error:
                result = getattr(error, "fault", error)
            results.append((result, connection.next_deadline()))
        assert results[0] == results[1]


names = st.sampled_from(
    [
        b"content-length",
        b"Content-Length",
        b"date",
        b"X-A",
        b"connection",
        b"transfer-encoding",
        b"upgrade",
        b"",
        b"a b",
    ]
)
values = st.sampled_from(
    [b"", b"0", b"2", b"02", b"+2", b" 2", b"x y", b"close", b"keep-alive", b"chunked", b"a\nb", b"\xff"]
)


@settings(max_examples=1000, deadline=None)
@given(
    status=st.sampled_from([99, 100, 101, 200, 204, 299, 304, 404, 599, 600, 999, 1000]),
    fields=st.lists(st.tuples(names, values), max_size=3),
    reason=st.sampled_from([None, b"", b"Fine", b"a\rb"]),
    content=st.sampled_from([None, b"", b"ok", b"x" * 20_000]),
    request=st.sampled_from(
        [b"GET / HTTP/1.1", b"HEAD / HTTP/1.1", b"GET / HTTP/1.0", b"GET / HTTP/1.1\r\nconnection: close", b"bad"]
    ),
)
def test_heads_are_those_of_the_writer(
    status: int, fields: list[tuple[bytes, bytes]], reason: bytes | None, content: bytes | None, request: bytes
) -> None:
    """A response is refused for the same reason or written in the same octets, framed in C or not."""
    connection = HttpConnection(Role.SERVER, engine="fast", limits=Limits())
    connection.receive_data(request + b"\r\nhost: a\r\n\r\n")
    try:
        connection.next_event()
    except Exception:
        assert request == b"bad"
    method = b"" if request == b"bad" else request.split()[0]
    version = b"1.1" if b"1.1" in request else b"1.0"
    persists = version == b"1.1" and b"close" not in request
    length = -1 if content is None else len(content)
    response = Response(status_code=status, headers=fields, reason=reason)
    expected = write_response(response, method, version, persists, False, length)
    refused = Fault.NONE
    try:
        if content is None:
            connection.send(response)
        else:
            connection.send_message(response, content)
    except LocalProtocolError as error:
        refused = error.fault
    written = connection.data_to_send()
    if refused:
        assert refused in (expected.fault, Fault.CONTENT_LENGTH_MISMATCH, Fault.CONTENT_FORBIDDEN)
        assert written == b""
    else:
        assert expected.fault is Fault.NONE
        assert written.startswith(expected.data)
        chunks = b"%x\r\n%b\r\n" % (length, content) if content else b""
        assert written[len(expected.data) :] in (b"", content, chunks + b"0\r\n\r\n")


@pytest.mark.parametrize("line", [[b"x-a", b"b"], (b"x-a", bytearray(b"b"))])
def test_lines_of_other_types_are_left_to_the_writer(line: tuple[bytes, bytes]) -> None:
    """Field lines that are not plain pairs of bytes are written as the writer writes them."""
    connection = HttpConnection(Role.SERVER, engine="fast")
    connection.receive_data(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    connection.next_event()
    response = Response(status_code=200, headers=[line])
    connection.send(response)
    assert connection.data_to_send() == write_response(response, b"GET", b"1.1", True, False).data
