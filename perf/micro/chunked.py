"""A chunked request body of 64 chunks of 1 KiB, from bytes to the end of the message. The head is not timed."""

from __future__ import annotations

from collections.abc import Callable

import h11
from suite import Cases, block_timer, h11_server, run, server

from highper_core import NEED_DATA, PAUSED, Connection, EndOfMessage

__all__ = ["CASES"]

HEAD = b"POST /upload HTTP/1.1\r\nhost: example.org\r\ntransfer-encoding: chunked\r\n\r\n"
BODY = (b"400\r\n" + b"x" * 1024 + b"\r\n") * 64 + b"0\r\n\r\n"
READ = 16 * 1024


def _ready(engine: str) -> Connection:
    connection = server(engine)
    connection.receive_data(HEAD)
    connection.next_event()
    return connection


def _ready_h11() -> h11.Connection:
    connection = h11_server()
    connection.receive_data(HEAD)
    connection.next_event()
    return connection


def _decode(connection: Connection) -> None:
    for start in range(0, len(BODY), READ):
        connection.receive_data(BODY[start : start + READ])
        while (event := connection.next_event()) is not NEED_DATA and event is not PAUSED:
            if type(event) is EndOfMessage:
                return


def _decode_h11(connection: h11.Connection) -> None:
    for start in range(0, len(BODY), READ):
        connection.receive_data(BODY[start : start + READ])
        while (event := connection.next_event()) is not h11.NEED_DATA:
            if type(event) is h11.EndOfMessage:
                return


def _prepared(engine: str) -> Callable[[], Connection]:
    return lambda: _ready(engine)


CASES: Cases = {
    "chunked fast": block_timer(_prepared("fast"), _decode),
    "chunked portable": block_timer(_prepared("portable"), _decode),
    "chunked h11": block_timer(_ready_h11, _decode_h11),
}

if __name__ == "__main__":
    run(CASES)
