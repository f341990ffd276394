"""The promises every HTTP engine keeps, one function each; `testing.check_http_engine` runs them.

They are kept short of a conformance suite: `tests/conformance` holds the grammar case by case.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Final

from zope.interface.verify import verifyObject

from .errors import Fault, LocalProtocolError
from .events import (
    END_OF_MESSAGE,
    NEED_DATA,
    PAUSED,
    ConnectionClosed,
    Data,
    EndOfMessage,
    Event,
    InformationalResponse,
    Request,
    Response,
)
from .interfaces import IEngine, IHttpConnection
from .limits import Limits
from .state import Role, State
from .testing import every_split, read

if TYPE_CHECKING:
    from .connection import Connection
    from .engines import Engine

__all__ = ["PROMISES"]

_HOST: Final = (b"host", b"a")
_GET: Final = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
_POST: Final = b"POST / HTTP/1.1\r\nHost: a\r\n"
_UPGRADE: Final = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: toy\r\n\r\n"
_CHUNKED: Final = _POST + b"Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n"
_CHUNKED_EVENTS: Final[list[Event]] = [
    Request(
        method=b"POST", target=b"/", headers=[_HOST, (b"transfer-encoding", b"chunked")], content_length=-1
    ),
    Data(b"abcde"),
    EndOfMessage([(b"x", b"y")]),
]  # fmt: skip


def _server(engine: Engine, data: bytes = b"", **limits: float) -> Connection:
    connection = engine.http(Role.SERVER, Limits(**limits))  # type: ignore[arg-type]
    if data:
        read(connection, data)
    return connection


def _client(engine: Engine, method: bytes = b"GET") -> Connection:
    connection = engine.http(Role.CLIENT, Limits())
    connection.send_message(Request(method=method, target=b"a:1" if method == b"CONNECT" else b"/", headers=[_HOST]))
    connection.data_to_send()
    return connection


def _refusal(action: Callable[[], object]) -> Fault:
    try:
        action()
    except LocalProtocolError as error:
        return error.fault
    return Fault.NONE


def provides_the_interfaces(engine: Engine) -> None:
    """The engine and its connections have every attribute and method."""
    verifyObject(IEngine, engine, tentative=True)
    for role in Role:
        connection = engine.http(role, Limits())
        verifyObject(IHttpConnection, connection, tentative=True)
        assert connection.role is role
        assert connection.limits == Limits()


def starts_at_rest(engine: Engine) -> None:
    """A fresh connection is idle, buffers nothing and needs data; the empty line before a request ends its rest."""
    connection = _server(engine)
    assert (connection.our_state, connection.their_state) == (State.IDLE, State.IDLE)
    assert connection.is_resting
    assert (connection.unparsed, connection.trailing_data, connection.data_to_send()) == (0, (b"", False), b"")
    assert connection.next_event() is NEED_DATA
    connection.receive_data(b"\r\n")
    assert connection.next_event() is NEED_DATA
    assert not connection.is_resting


def reads_the_same_however_cut(engine: Engine) -> None:
    """Events do not depend on where the bytes were cut."""
    for pieces in every_split(_CHUNKED):
        assert read(_server(engine), *pieces) == (_CHUNKED_EVENTS, Fault.NONE), pieces


def refuses_the_same_however_cut(engine: Engine) -> None:
    """A fault does not depend on where the bytes were cut, and stays."""
    for data, fault in _REFUSED:
        for pieces in every_split(data):
            connection = _server(engine, fields=3)
            assert read(connection, *pieces)[1] is fault, (data, pieces)
            assert read(connection) == ([], fault)
            assert connection.their_state is State.ERROR


_REFUSED: Final = (
    (b"GET / HTTP/1.1\nHost: a\r\n\r\n", Fault.LINE_ENDING_INVALID),
    (b"GET  / HTTP/1.1\r\n", Fault.REQUEST_LINE_INVALID),
    (b"G@T / HTTP/1.1\r\n", Fault.METHOD_INVALID),
    (b"GET /\x80 HTTP/1.1\r\n", Fault.TARGET_INVALID),
    (b"GET * HTTP/1.1\r\n", Fault.TARGET_FORM_INVALID),
    (b"GET / HTTP/1.x\r\n", Fault.VERSION_INVALID),
    (b"GET / HTTP/2.0\r\n", Fault.VERSION_UNSUPPORTED),
    (b"GET / HTTP/1.1\r\nHost : a\r\n", Fault.FIELD_NAME_SPACE),
    (b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n", Fault.FIELD_FOLDED),
    (b"GET / HTTP/1.1\r\nHost: a\x00\r\n", Fault.FIELD_VALUE_INVALID),
    (b"GET / HTTP/1.1\r\na: b\r\na: b\r\na: b\r\na: b\r\n", Fault.TOO_MANY_FIELDS),
    (b"GET / HTTP/1.1\r\n\r\n", Fault.HOST_MISSING),
    (_POST + b"Content-Length: 5, 5\r\n\r\n", Fault.CONTENT_LENGTH_REPEATED),
    (_POST + b"Content-Length: +5\r\n\r\n", Fault.CONTENT_LENGTH_INVALID),
    (
        _POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        Fault.CONTENT_LENGTH_WITH_TRANSFER_ENCODING,
    ),
    (_POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", Fault.TRANSFER_ENCODING_UNSUPPORTED),
    (_POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd", Fault.CHUNK_DATA_UNTERMINATED),
    (_POST + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\n", Fault.CHUNK_SIZE_INVALID),
    (_POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nHost: b\r\n", Fault.TRAILER_FORBIDDEN),
    (_POST + b"Expect: 200-ok\r\n\r\n", Fault.EXPECTATION_UNKNOWN),
)


def tells_where_the_input_ended(engine: Engine) -> None:
    """The end of input is a close between messages and a fault inside one."""
    assert read(_server(engine), end=True) == ([ConnectionClosed()], Fault.NONE)
    assert read(_server(engine), b"GET /", end=True) == ([], Fault.HEAD_INCOMPLETE)
    events, fault = read(_server(engine), _POST + b"Content-Length: 2\r\n\r\na", end=True)
    assert (events[-1], fault) == (Data(b"a"), Fault.CONTENT_INCOMPLETE)
    closed = _server(engine, _GET)
    assert read(closed, end=True) == ([ConnectionClosed()], Fault.NONE)
    assert closed.next_event() is NEED_DATA
    assert _refusal(lambda: closed.receive_data(b"x")) is Fault.EVENT_ILLEGAL


def pauses_between_requests(engine: Engine) -> None:
    """A pipelined request waits, unparsed, until the one before it is answered and the cycle begun anew."""
    connection = _server(engine, _GET + _GET)
    assert connection.next_event() is PAUSED
    assert connection.trailing_data == (_GET, False)
    assert _refusal(connection.start_next_cycle) is Fault.EVENT_ILLEGAL
    connection.send_message(Response(status_code=204))
    connection.start_next_cycle()
    assert [type(event) for event in read(connection)[0]] == [Request, EndOfMessage]


def writes_what_was_agreed(engine: Engine) -> None:
    """The bytes of a response follow from the event, the request and nothing else."""
    for data, head, content, written in _WRITTEN:
        connection = _server(engine, data)
        connection.send(head)
        for piece in content:
            connection.send(Data(piece))
        connection.send(END_OF_MESSAGE)
        assert connection.data_to_send() == written


_WRITTEN: Final = (
    (
        _GET,
        Response(status_code=200, headers=[(b"Content-Length", b"2")]),
        (b"o", b"k"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ),
    (
        _GET,
        Response(status_code=299, reason=b"Fine"),
        (b"ok", b""),
        b"HTTP/1.1 299 Fine\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ),
    (
        b"GET / HTTP/1.0\r\n\r\n",
        Response(status_code=200),
        (b"ok",),
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok",
    ),
    (
        b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
        Response(status_code=200, headers=[(b"content-length", b"2")]),
        (b"ok",),
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n",
    ),
    (_GET, Response(status_code=304), (), b"HTTP/1.1 304 Not Modified\r\n\r\n"),
)


def a_message_is_its_events(engine: Engine) -> None:
    """`send_message` writes what the three events write, with the length told."""
    connection = _server(engine, _GET)
    connection.send_message(Response(status_code=200), b"ok")
    assert b"".join(connection.buffers_to_send()) == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    assert connection.our_state is State.DONE


def a_refused_event_leaves_no_trace(engine: Engine) -> None:
    """What must not be sent raises, writes nothing and changes no state."""
    head = Response(status_code=200, headers=[(b"content-length", b"1")])
    for event, fault in (
        (Data(b"x"), Fault.EVENT_ILLEGAL),
        (Response(status_code=99), Fault.STATUS_INVALID),
        (Response(status_code=200, reason=b"a\rb"), Fault.REASON_INVALID),
        (Response(status_code=200, headers=[(b"a b", b"c")]), Fault.FIELD_NAME_INVALID),
        (Response(status_code=200, headers=[(b"a", b"b\r\nc: d")]), Fault.FIELD_VALUE_INVALID),
        (InformationalResponse(status_code=101), Fault.EVENT_ILLEGAL),
    ):
        connection = _server(engine, _GET)
        assert _refusal(lambda connection=connection, event=event: connection.send(event)) is fault  # type: ignore[misc]
        assert (connection.our_state, connection.data_to_send()) == (State.SEND_RESPONSE, b"")
    connection = _server(engine, _GET)
    assert _refusal(lambda: connection.send_message(head, b"xy")) is Fault.CONTENT_LENGTH_MISMATCH
    assert (connection.our_state, connection.data_to_send()) == (State.SEND_RESPONSE, b"")
    connection.send(head)
    connection.data_to_send()
    assert _refusal(lambda: connection.send(END_OF_MESSAGE)) is Fault.CONTENT_LENGTH_MISMATCH
    assert (connection.our_state, connection.data_to_send()) == (State.SEND_BODY, b"")


def refuses_and_closes(engine: Engine) -> None:
    """After a fault the server may still answer, and says that it closes."""
    connection = _server(engine, b"bad\r\n")
    connection.send_message(Response(status_code=400))
    written = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    assert connection.data_to_send() == written
    assert connection.our_state is State.MUST_CLOSE


def switches_protocols(engine: Engine) -> None:
    """An accepted upgrade or CONNECT hands over the bytes behind the request; a declined one goes on."""
    switching: tuple[tuple[bytes, Event], ...] = (
        (_UPGRADE, InformationalResponse(status_code=101)),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", Response(status_code=200)),
    )
    for data, answer in switching:
        connection = _server(engine, data + b"raw")
        assert (connection.next_event(), connection.their_state) == (PAUSED, State.MIGHT_SWITCH_PROTOCOL)
        connection.send(answer)
        assert (connection.our_state, connection.their_state) == (State.SWITCHED_PROTOCOL, State.SWITCHED_PROTOCOL)
        assert connection.trailing_data == (b"raw", False)
        declined = _server(engine, data)
        declined.send_message(Response(status_code=404))
        declined.start_next_cycle()


def waits_for_continue(engine: Engine) -> None:
    """Expect: 100-continue is pending until a 100, a final response or the content; after the second it closes."""
    data = _POST + b"Content-Length: 1\r\nExpect: 100-continue\r\n\r\n"
    connection = _server(engine, data)
    assert connection.waiting_for_continue
    assert connection.next_deadline() == inf
    connection.send(InformationalResponse(status_code=100))
    assert not connection.waiting_for_continue
    assert connection.data_to_send() == b"HTTP/1.1 100 Continue\r\n\r\n"
    refused = _server(engine, data)
    refused.send_message(Response(status_code=417))
    assert refused.our_state is State.MUST_CLOSE
    sent = _server(engine, data + b"x")
    assert not sent.waiting_for_continue


def accounts_for_foreign_content(engine: Engine) -> None:
    """Content that the caller moves itself counts, both ways."""
    connection = _server(engine, _POST + b"Content-Length: 9\r\n\r\nab")
    assert connection.content_remaining == 7
    assert _refusal(lambda: connection.content_received(8)) is Fault.EVENT_ILLEGAL
    connection.content_received(7)
    assert read(connection) == ([END_OF_MESSAGE], Fault.NONE)
    connection.send(Response(status_code=200, headers=[(b"content-length", b"5")]))
    assert _refusal(lambda: connection.send_file(6)) is Fault.CONTENT_LENGTH_MISMATCH
    connection.send_file(5)
    connection.send(END_OF_MESSAGE)
    assert connection.our_state is State.DONE


def keeps_deadlines(engine: Engine) -> None:
    """Each phase has its deadline; pausing stops those of content."""
    connection = _server(engine, first_byte_timeout=1, head_timeout=2, content_timeout=3, idle_timeout=4)
    assert (connection.next_deadline(), connection.expired(10.0)) == (-inf, Fault.NONE)
    assert (connection.next_deadline(), connection.expired(11.0)) == (11.0, Fault.FIRST_BYTE_TIMEOUT)
    read(connection, b"POST / ", now=20.0)
    assert (connection.next_deadline(), connection.expired(22.0)) == (22.0, Fault.HEAD_TIMEOUT)
    read(connection, b"HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n", now=30.0)
    assert (connection.next_deadline(), connection.expired(33.0)) == (33.0, Fault.CONTENT_TIMEOUT)
    connection.pause_reading(31.0)
    assert connection.next_deadline() == inf
    connection.resume_reading(41.0)
    assert connection.next_deadline() == 43.0
    read(connection, b"ok", now=42.0)
    assert connection.next_deadline() == inf
    connection.send_message(Response(status_code=204))
    connection.start_next_cycle()
    assert (connection.expired(50.0), connection.next_deadline()) == (Fault.NONE, 54.0)
    assert connection.expired(54.0) is Fault.IDLE_TIMEOUT


def reads_as_a_client(engine: Engine) -> None:
    """A client frames a response by its own request, its status and its fields."""
    for method, data, kinds in (
        (b"GET", b"HTTP/1.1 100 \r\n\r\nHTTP/1.1 204 \r\n\r\n", [InformationalResponse, Response, EndOfMessage]),
        (b"HEAD", b"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n", [Response, EndOfMessage]),
        (b"GET", b"HTTP/1.1 200 \r\n\r\nabc", [Response, Data]),
        (b"CONNECT", b"HTTP/1.1 200 \r\n\r\nabc", [Response]),
    ):
        for pieces in every_split(data):
            events, fault = read(_client(engine, method), *pieces)
            assert ([type(event) for event in events], fault) == (kinds, Fault.NONE), (data, pieces)


def can_be_used_again(engine: Engine) -> None:
    """`reset` makes a connection as newly made, whatever it went through."""
    connection = _server(engine, b"bad\r\n")
    connection.send_message(Response(status_code=400))
    connection.receive_data(b"")
    connection.reset()
    assert connection.is_resting
    assert read(connection, _CHUNKED) == (_CHUNKED_EVENTS, Fault.NONE)


PROMISES: Final = (
    provides_the_interfaces,
    starts_at_rest,
    reads_the_same_however_cut,
    refuses_the_same_however_cut,
    tells_where_the_input_ended,
    pauses_between_requests,
    writes_what_was_agreed,
    a_message_is_its_events,
    a_refused_event_leaves_no_trace,
    refuses_and_closes,
    switches_protocols,
    waits_for_continue,
    accounts_for_foreign_content,
    keeps_deadlines,
    reads_as_a_client,
    can_be_used_again,
)
