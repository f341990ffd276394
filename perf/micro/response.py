"""The head of a 200 response of five fields: event built, framed, bytes collected. The request before is not timed."""

from __future__ import annotations

import h11
from suite import BROWSER_REQUEST, RESPONSE_FIELDS, Cases, block_timer, h11_server, run, server

from highper_core import Connection, Response

__all__ = ["CASES"]


def _asked(engine: str) -> Connection:
    connection = server(engine)
    connection.receive_data(BROWSER_REQUEST)
    connection.next_event()
    connection.next_event()
    return connection


def _asked_h11() -> h11.Connection:
    connection = h11_server()
    connection.receive_data(BROWSER_REQUEST)
    connection.next_event()
    connection.next_event()
    return connection


def _answer(connection: Connection) -> bytes:
    connection.send(Response(status_code=200, headers=RESPONSE_FIELDS))
    return connection.data_to_send()


def _answer_h11(connection: h11.Connection) -> bytes | None:
    return connection.send(h11.Response(status_code=200, headers=RESPONSE_FIELDS))


CASES: Cases = {
    "response fast": block_timer(lambda: _asked("fast"), _answer),
    "response portable": block_timer(lambda: _asked("portable"), _answer),
    "response h11": block_timer(_asked_h11, _answer_h11),
}

if __name__ == "__main__":
    run(CASES)
