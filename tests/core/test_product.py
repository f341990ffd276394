"""Every pair of states that can be reached, with everything that can be done there.

A connection is led breadth first through every sequence of receptions and events that shows something new. In each
place each event is tried: it is legal exactly when the table has a row for it, and leads where table and joint rules
lead. Where both engines are built, each step must also show the same on both, down to written and left-over bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from highper_core import (
    END_OF_MESSAGE,
    Connection,
    ConnectionClosed,
    Data,
    Event,
    Fault,
    HttpConnection,
    InformationalResponse,
    LocalProtocolError,
    ProtocolError,
    Request,
    Response,
    Role,
    State,
    available,
)
from highper_core.state import ILLEGAL, Input, next_state
from highper_core.testing import read

HOST = (b"host", b"a")
UPGRADING = [HOST, (b"connection", b"upgrade"), (b"upgrade", b"toy")]
ONE = [(b"content-length", b"1")]

Action = Callable[[Connection], object]
Place = tuple[Any, ...]


def _receive(data: bytes) -> Action:
    return lambda connection: read(connection, *([data] if data else []), end=not data, now=1.0)


def _send(event: Event) -> Action:
    return lambda connection: connection.send(event)


RECEIVED = {
    Role.SERVER: {
        "GET": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "HEAD 1.0": b"HEAD / HTTP/1.0\r\n\r\n",
        "POST": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n",
        "expecting": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
        "chunked": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        "last chunk": b"0\r\n\r\n",
        "upgrade": b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: toy\r\n\r\n",
        "CONNECT": b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
        "two bytes": b"ab",
        "end": b"",
    },
    Role.CLIENT: {
        "100": b"HTTP/1.1 100 \r\n\r\n",
        "101": b"HTTP/1.1 101 \r\n\r\n",
        "200 with length": b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n",
        "200 without": b"HTTP/1.1 200 \r\n\r\n",
        "204 close": b"HTTP/1.1 204 \r\nConnection: close\r\n\r\n",
        "two bytes": b"ab",
        "end": b"",
    },
}
SENT: dict[str, Event] = {
    "GET": Request(method=b"GET", target=b"/", headers=[HOST]),
    "POST": Request(method=b"POST", target=b"/", headers=[HOST, *ONE]),
    "upgrade": Request(method=b"GET", target=b"/", headers=UPGRADING),
    "CONNECT": Request(method=b"CONNECT", target=b"a:1", headers=[HOST]),
    "100": InformationalResponse(status_code=100),
    "101": InformationalResponse(status_code=101),
    "200": Response(status_code=200, headers=ONE),
    "204": Response(status_code=204),
    "chunked": Response(status_code=200),
    "close": Response(status_code=404, headers=[*ONE, (b"connection", b"close")]),
    "a byte": Data(b"x"),
    "end": END_OF_MESSAGE,
    "closed": ConnectionClosed(),
}
HEADS = {"GET", "HEAD 1.0", "POST", "expecting", "chunked", "upgrade", "CONNECT", "200"}
LONGEST = 6
ENGINES = [name for name, reason in available().items() if reason is None]


def actions(role: Role) -> dict[str, Action]:
    """Return what can be done to a connection of ours."""
    found: dict[str, Action] = {f"receive {name}": _receive(data) for name, data in RECEIVED[role].items()}
    found |= {f"send {name}": _send(event) for name, event in SENT.items()}
    whole = Request(method=b"GET", target=b"/", headers=[HOST]) if role is Role.CLIENT else Response(status_code=200)
    found["send whole"] = lambda connection: connection.send_message(whole, b"ok")
    found["send file"] = lambda connection: connection.send_file(1)
    found["next cycle"] = lambda connection: connection.start_next_cycle()
    return found


def outcome(connection: Connection, action: Action) -> Place:
    """Do it, and return all that shows: what came of it, where it led, what was written and is left."""
    try:
        result: object = action(connection)
    except ProtocolError as error:
        result = (type(error), error.fault)
    seen = (connection.our_state, connection.their_state, connection.waiting_for_continue, connection.is_resting)
    left = (connection.unparsed, connection.trailing_data, connection.content_remaining, connection.next_deadline())
    return result, seen, left, connection.data_to_send()


def place(steps: list[str], last: Place) -> Place:
    """Return what tells one place from another: states, what is held back or left over, and what was asked before."""
    asked = [step.split(" ", 1)[1] for step in steps if step.split(" ", 1)[1] in HEADS]
    return (*last[1], last[2][0] > 0, last[2][2], *asked[-1:])


def explore(role: Role) -> dict[Place, list[str]]:
    """Return every place that can be reached, with one way there; engines are compared on the way."""
    found: dict[Place, list[str]] = {}
    waiting: deque[list[str]] = deque([[]])
    named = actions(role)
    while waiting:
        path = waiting.popleft()
        for name in named:
            steps = [*path, name]
            shown = []
            for engine in ENGINES:
                connection = HttpConnection(role, engine)
                shown.append([outcome(connection, named[step]) for step in steps])
            assert all(other == shown[0] for other in shown), steps
            reached = place(steps, shown[0][-1])
            if reached not in found and len(steps) <= LONGEST:
                found[reached] = steps
                waiting.append(steps)
    return found


@pytest.fixture(scope="module", params=Role, ids=lambda role: role.name)
def explored(request: pytest.FixtureRequest) -> tuple[Role, dict[Place, list[str]]]:
    """A role and the places it can get to."""
    return request.param, explore(request.param)


def test_every_state_is_reached(explored: tuple[Role, dict[Place, list[str]]]) -> None:
    """No row of the tables is there for nothing."""
    role, places = explored
    ours, theirs = {reached[0] for reached in places}, {reached[1] for reached in places}
    server = {*State} - {State.MIGHT_SWITCH_PROTOCOL, State.ERROR}
    client = {*State} - {State.SEND_RESPONSE, State.ERROR}
    assert ours == (server if role is Role.SERVER else client)
    other = client if role is Role.SERVER else server
    assert theirs == other | {State.ERROR}


def _inputs(event: Event, role: Role) -> set[Input]:
    """Return what `event` may be to the table; a response may turn out to be a switch."""
    if isinstance(event, Request):
        return {Input.REQUEST}
    if isinstance(event, InformationalResponse):
        return {Input.SWITCH if event.status_code == 101 else Input.INFORMATIONAL_RESPONSE}
    if isinstance(event, Response):
        return {Input.RESPONSE, Input.SWITCH}
    kinds = {Data: Input.DATA, ConnectionClosed: Input.CONNECTION_CLOSED}
    return {kinds.get(type(event), Input.END_OF_MESSAGE)}


def test_what_the_table_forbids_is_refused(explored: tuple[Role, dict[Place, list[str]]], engine_name: str) -> None:
    """An event without a row raises and leaves no trace; one that passes had a row, and followed it."""
    role, places = explored
    named = actions(role)
    for path in places.values():
        for name, event in SENT.items():
            connection = HttpConnection(role, engine_name)
            for step in path:
                outcome(connection, named[step])
            before = (connection.our_state, connection.their_state)
            rows = {next_state(role, before[0], what) for what in _inputs(event, role)} - {ILLEGAL}
            fault = _fault_of(connection, event)
            if fault:
                assert rows or fault is Fault.EVENT_ILLEGAL, (path, name)
                assert (connection.our_state, connection.their_state) == before, (path, name)
                assert connection.data_to_send() == b"", (path, name)
            else:
                settled = {State.DONE: {State.MUST_CLOSE, State.MIGHT_SWITCH_PROTOCOL}}
                allowed = {after for row in rows for after in (State(row), *settled.get(State(row), ()))}
                assert connection.our_state in allowed | _switched(before), (path, name)


def _fault_of(connection: Connection, event: Event) -> Fault:
    try:
        connection.send(event)
    except LocalProtocolError as error:
        return error.fault
    return Fault.NONE


def _switched(before: tuple[State, State]) -> set[State]:
    """A client that finishes after the server has switched has switched too."""
    return {State.SWITCHED_PROTOCOL} if before[1] is State.SWITCHED_PROTOCOL else set()
