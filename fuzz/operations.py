"""Any sequence of calls on a connection, in any state: the caller as an adversary.

An input spells a program, one byte an operation, the first byte the role, the bounds and whether what was framed is
collected after each. Oracles: only `RemoteProtocolError` leaves `next_event`, only `LocalProtocolError` the calls that
are documented to raise it; after a `LocalProtocolError` states are as before and nothing more was framed; the other
engine, in step, shows the same results and states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from readings import ASKED, SMALL
from settings import ENGINE, OTHER_ENGINE, is_sampled

from highper_core import (
    END_OF_MESSAGE,
    Connection,
    Data,
    EndOfMessage,
    Event,
    HttpConnection,
    InformationalResponse,
    Limits,
    LocalProtocolError,
    RemoteProtocolError,
    Request,
    Response,
    Role,
)

__all__ = ["OPERATIONS", "Step", "one_input", "run_program"]

Operation: TypeAlias = Callable[[Connection], object]
Step: TypeAlias = tuple[object, ...]

RECEIVED = [
    b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: toy\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: toy\r\n\r\n",
    b"HTTP/1.0 200 OK\r\ncontent-length: 4\r\nconnection: keep-alive\r\n\r\n",
    b"4\r\nabcd\r\n",
    b"0\r\n\r\n",
    b"abcd",
    b"a",
    b"\r\n",
    b"",
]

SENT: list[Event] = [
    *ASKED.values(),
    Request(method=b"POST", target=b"/", headers=[(b"host", b"a"), (b"content-length", b"4")]),
    Request(method=b"POST", target=b"/", headers=[(b"host", b"a"), (b"transfer-encoding", b"chunked")]),
    Request(
        method=b"POST", target=b"/", headers=[(b"host", b"a"), (b"expect", b"100-continue"), (b"content-length", b"4")]
    ),
    Request(method=b"GET", target=b"/ ", headers=[(b"host", b"a")]),
    Request(method=b"GET", target=b"/", headers=[(b"x", b"a\r\nb: c")]),
    Response(status_code=200),
    Response(status_code=200, headers=[(b"content-length", b"4")]),
    Response(status_code=200, headers=[(b"transfer-encoding", b"chunked")]),
    Response(status_code=200, headers=[(b"content-length", b"4"), (b"transfer-encoding", b"chunked")]),
    Response(status_code=204),
    Response(status_code=304, headers=[(b"content-length", b"4")]),
    Response(status_code=400, headers=[(b"connection", b"close")]),
    Response(status_code=200, headers=[(b"na me", b"v")]),
    Response(status_code=200, reason=b"a\nb"),
    Response(status_code=99),
    InformationalResponse(status_code=100),
    InformationalResponse(status_code=103, headers=[(b"link", b"</a>")]),
    InformationalResponse(status_code=101, headers=[(b"connection", b"upgrade"), (b"upgrade", b"toy")]),
    Data(b"abcd"),
    Data(b"a"),
    Data(b""),
    END_OF_MESSAGE,
    EndOfMessage(headers=[(b"x-sum", b"1")]),
    EndOfMessage(headers=[(b"content-length", b"1")]),
]


def _receive(data: bytes) -> Operation:
    return lambda connection: connection.receive_data(data)


def _send(event: Event) -> Operation:
    return lambda connection: connection.send(event)


def _send_message(head: Event, content: bytes) -> Operation:
    return lambda connection: connection.send_message(head, content)  # type: ignore[arg-type]


OPERATIONS: list[Operation] = [
    *(_receive(data) for data in RECEIVED),
    *(_send(event) for event in SENT),
    *(_send_message(head, b"abcd") for head in SENT if isinstance(head, (Request, Response))),
    *(_send_message(head, b"") for head in SENT if isinstance(head, (Request, Response))),
    *[lambda connection: connection.next_event()] * 24,  # what a caller does most
    lambda connection: connection.start_next_cycle(),
    lambda connection: connection.start_next_cycle(),
    lambda connection: connection.start_next_cycle(),
    lambda connection: connection.data_to_send(),
    lambda connection: b"".join(connection.buffers_to_send()),
    lambda connection: connection.send_file(4),
    lambda connection: connection.send_file(9),
    lambda connection: connection.content_received(2, 1.0),
    lambda connection: connection.content_received(99, 1.0),
    lambda connection: connection.pause_reading(1.0),
    lambda connection: connection.resume_reading(2.0),
    lambda connection: connection.expired(3.0),
    lambda connection: connection.expired(1e9),
    lambda connection: connection.reset(),
]


def one_input(data: bytes) -> None:
    """Run the program that `data` spells; in step with the other engine when it is sampled."""
    stage = data[0] if data else 0
    role, limits, drained = Role(stage & 1), SMALL if stage & 2 else Limits(), bool(stage & 4)
    mine = run_program(HttpConnection(role, engine=ENGINE, limits=limits), data[1:], drained)
    if not is_sampled(data):
        for _ in mine:
            pass
        return
    other = run_program(HttpConnection(role, engine=OTHER_ENGINE, limits=limits), data[1:], drained)
    for number, (step, other_step) in enumerate(zip(mine, other, strict=True)):
        assert step == other_step, ("engines", number, data, step, other_step)


def run_program(connection: Connection, program: bytes, drained: bool) -> Iterator[Step]:
    """Yield for each operation its result, or the fault it raised, and what the connection shows afterwards.

    With `drained`, what an operation framed is collected and yielded too, so that a refused one can be seen to frame
    nothing; without, it piles up.
    """
    for code in program:
        before = _shown(connection)
        result: object
        try:
            result = OPERATIONS[code % len(OPERATIONS)](connection)
        except LocalProtocolError as error:
            assert _shown(connection) == before, ("a refused call changed something", code, before, _shown(connection))
            assert not drained or not connection.data_to_send(), ("a refused call framed something", code)
            result = ("local", error.fault)
        except RemoteProtocolError as error:
            result = ("remote", error.fault)
        yield (code, result, connection.data_to_send() if drained else None, *_shown(connection))


def _shown(connection: Connection) -> Step:
    return (
        connection.our_state,
        connection.their_state,
        connection.is_resting,
        connection.trailing_data,
        connection.unparsed,
        connection.waiting_for_continue,
        connection.content_remaining,
        connection.next_deadline(),
    )
