"""A client's connection, of either engine: its cycles, how an answer is delimited, switches, and its clock."""

from __future__ import annotations

from math import inf

from support.connections import HOST, client, refusal, states

from highper_core import (
    END_OF_MESSAGE,
    NEED_DATA,
    PAUSED,
    Connection,
    ConnectionClosed,
    Data,
    Fault,
    HttpConnection,
    InformationalResponse,
    Request,
    Response,
    Role,
    State,
)
from highper_core.testing import read

__all__ = ["client"]


def test_a_client_in_several_cycles(client: Connection) -> None:
    """It reads answers of every framing."""
    for answer, content in (
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", [Data(b"ok")]),
        (
            b"HTTP/1.1 103 \r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            [Data(b"ok")],
        ),
        (b"HTTP/1.1 204 No\r\n\r\n", []),
    ):
        events, fault = read(client, answer)
        assert fault is Fault.NONE
        assert events[-1] == END_OF_MESSAGE
        assert [event for event in events if isinstance(event, Data)] == content
        assert client.next_event() is PAUSED
        client.start_next_cycle()
        assert client.is_resting
        client.send_message(Request(method=b"GET", target=b"/", headers=[HOST]))
        client.data_to_send()


def test_an_answer_delimited_by_the_close(client: Connection) -> None:
    """The end of input ends it; the connection cannot persist."""
    events, _ = read(client, b"HTTP/1.1 200 OK\r\n\r\nsome", b" more", end=True)
    assert events[1:] == [Data(b"some more"), END_OF_MESSAGE, ConnectionClosed()]
    assert states(client) == (State.MUST_CLOSE, State.CLOSED)


def test_no_answer_at_all(client: Connection) -> None:
    """A close where a response is owed is an incomplete message."""
    assert read(client, end=True) == ([], Fault.HEAD_INCOMPLETE)
    assert refusal(lambda: client.send_message(Request(method=b"GET", target=b"/", headers=[HOST])))


def test_an_answer_nobody_asked_for(engine_name: str) -> None:
    """Bytes before a request, or a 101 without a proposal."""
    connection = HttpConnection(Role.CLIENT, engine_name)
    assert connection.next_event() is NEED_DATA
    assert read(connection, b"H") == ([], Fault.DATA_UNEXPECTED)
    assert refusal(lambda: connection.send(Request(method=b"GET", target=b"/", headers=[HOST]))) is Fault.EVENT_ILLEGAL


def test_a_switch_nobody_proposed(client: Connection) -> None:
    """A 101 is only the answer to an upgrade."""
    assert read(client, b"HTTP/1.1 101 \r\n\r\n") == ([], Fault.DATA_UNEXPECTED)


def test_the_server_closes_between_requests(engine_name: str) -> None:
    """A client learns it, and can send nothing more."""
    connection = HttpConnection(Role.CLIENT, engine_name)
    assert read(connection, end=True) == ([ConnectionClosed()], Fault.NONE)
    assert states(connection) == (State.MUST_CLOSE, State.CLOSED)


def test_the_server_closes_after_its_answer(client: Connection) -> None:
    """Bytes behind an answer that said close are one too many; the end is the end."""
    read(client, b"HTTP/1.1 204 No\r\nConnection: close\r\n\r\n")
    assert states(client) == (State.MUST_CLOSE, State.MUST_CLOSE)
    assert client.next_event() is NEED_DATA
    assert read(client, b"x") == ([], Fault.DATA_UNEXPECTED)


def test_an_answer_while_we_still_send(engine_name: str) -> None:
    """The client may go on sending, or not; what follows the answer waits."""
    connection = HttpConnection(Role.CLIENT, engine_name)
    connection.send(Request(method=b"POST", target=b"/", headers=[HOST, (b"content-length", b"5")]))
    connection.send(Data(b"ab"))
    read(connection, b"HTTP/1.1 413 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    assert states(connection) == (State.SEND_BODY, State.MUST_CLOSE)
    assert connection.next_event() is PAUSED
    connection.send(Data(b"cde"))
    connection.send(END_OF_MESSAGE)
    assert states(connection) == (State.MUST_CLOSE, State.MUST_CLOSE)


def test_a_client_times_what_has_begun(client: Connection) -> None:
    """How long an answer may take is its caller's business; a head or content that has begun is timed."""
    assert client.next_deadline() == inf
    read(client, b"HTTP/1.1 103 \r", now=5.0)
    assert client.next_deadline() == 15.0
    read(client, b"\n\r\n", now=6.0)
    assert client.next_deadline() == inf
    read(client, b"HTTP/1.1 103 \r\n\r\nHTTP", now=7.0)
    assert client.next_deadline() == 17.0
    read(client, b"/1.1 200 \r\n\r\n", now=8.0)
    assert (client.next_deadline(), client.content_remaining) == (18.0, -1)
    read(client, end=True)
    assert client.next_deadline() == inf


def test_a_client_between_cycles_is_not_timed(client: Connection) -> None:
    """A pool of connections has its own clock."""
    read(client, b"HTTP/1.1 204 \r\n\r\n", now=5.0)
    client.start_next_cycle()
    assert client.next_deadline() == inf


def test_a_client_switches(engine_name: str) -> None:
    """After its own upgrade or CONNECT was accepted, what follows is not HTTP."""
    for request, answer in (
        (Request(method=b"GET", target=b"/", headers=[HOST, (b"connection", b"upgrade"), (b"upgrade", b"toy")]), 101),
        (Request(method=b"CONNECT", target=b"a:1", headers=[HOST]), 200),
    ):
        connection = HttpConnection(Role.CLIENT, engine_name)
        connection.send_message(request)
        assert connection.our_state is State.MIGHT_SWITCH_PROTOCOL
        events, fault = read(connection, b"HTTP/1.1 %d Fine\r\nUpgrade: toy\r\n\r\nraw" % answer)
        assert ([type(event) for event in events], fault) == (
            [InformationalResponse if answer == 101 else Response],
            Fault.NONE,
        )
        assert states(connection) == (State.SWITCHED_PROTOCOL, State.SWITCHED_PROTOCOL)
        assert connection.trailing_data == (b"raw", False)


def test_a_client_is_declined(engine_name: str) -> None:
    """Then the answer is an ordinary one."""
    connection = HttpConnection(Role.CLIENT, engine_name)
    connection.send_message(Request(method=b"CONNECT", target=b"a:1", headers=[HOST]))
    events, _ = read(connection, b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno")
    assert events[1:] == [Data(b"no"), END_OF_MESSAGE]
    connection.start_next_cycle()
