"""A connection of either engine, driven by hand, and what it is given."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from highper_core import Connection, Fault, HttpConnection, LocalProtocolError, Request, Response, Role, State

__all__ = [
    "CLOSING",
    "EXPECTING",
    "GET",
    "HOST",
    "OK",
    "ONE_BYTE",
    "POST",
    "UPGRADE",
    "client",
    "refusal",
    "server",
    "states",
]

HOST = (b"host", b"a")
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
CLOSING = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: toy\r\n\r\n"
EXPECTING = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
OK = Response(status_code=200)
ONE_BYTE = Response(status_code=200, headers=[(b"content-length", b"1")])


@pytest.fixture
def server(engine_name: str) -> Connection:
    """A fresh SERVER."""
    return HttpConnection(Role.SERVER, engine_name)


@pytest.fixture
def client(engine_name: str) -> Connection:
    """A CLIENT that has sent GET /."""
    connection = HttpConnection(Role.CLIENT, engine_name)
    connection.send_message(Request(method=b"GET", target=b"/", headers=[HOST]))
    connection.data_to_send()
    return connection


def states(connection: Connection) -> tuple[State, State]:
    """Return our state and theirs."""
    return connection.our_state, connection.their_state


def refusal(action: Callable[[], object]) -> Fault:
    """Return the fault that `action` is refused with."""
    with pytest.raises(LocalProtocolError) as caught:
        action()
    return caught.value.fault
