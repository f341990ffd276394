"""One whole exchange in memory on a persistent connection: browser request in, answer of 13 bytes out, next cycle."""

from __future__ import annotations

import h11
from suite import BROWSER_REQUEST, RESPONSE_FIELDS, Cases, block_timer, h11_server, run, server

from highper_core import END_OF_MESSAGE, Connection, Data, Response

__all__ = ["CASES"]

CONTENT = b"Hello, World!"


def _exchange(connection: Connection) -> None:
    connection.receive_data(BROWSER_REQUEST)
    connection.next_event()
    connection.next_event()
    connection.send_message(Response(status_code=200, headers=RESPONSE_FIELDS), CONTENT)
    connection.data_to_send()
    connection.start_next_cycle()


def _exchange_by_events(connection: Connection) -> None:
    connection.receive_data(BROWSER_REQUEST)
    connection.next_event()
    connection.next_event()
    connection.send(Response(status_code=200, headers=RESPONSE_FIELDS))
    connection.send(Data(CONTENT))
    connection.send(END_OF_MESSAGE)
    connection.data_to_send()
    connection.start_next_cycle()


def _exchange_h11(connection: h11.Connection) -> None:
    connection.receive_data(BROWSER_REQUEST)
    connection.next_event()
    connection.next_event()
    connection.send(h11.Response(status_code=200, headers=RESPONSE_FIELDS))
    connection.send(h11.Data(data=CONTENT))
    connection.send(h11.EndOfMessage())
    connection.start_next_cycle()


CASES: Cases = {
    "exchange fast, send_message": block_timer(lambda: server("fast"), _exchange),
    "exchange fast, three events": block_timer(lambda: server("fast"), _exchange_by_events),
    "exchange portable, send_message": block_timer(lambda: server("portable"), _exchange),
    "exchange h11": block_timer(h11_server, _exchange_h11),
}

if __name__ == "__main__":
    run(CASES)
