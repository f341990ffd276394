"""A typical browser request, from bytes to its `Request` event. Building and resetting connections is not timed.

All fields read means what a server does that hands them on: a list of pairs of bytes, from either library by `list`.
"""

from __future__ import annotations

import h11
from suite import BROWSER_REQUEST, Cases, block_timer, h11_server, run, server

from highper_core import Connection

__all__ = ["CASES"]


def _parse(connection: Connection) -> None:
    connection.receive_data(BROWSER_REQUEST)
    connection.next_event()


def _parse_and_read(connection: Connection) -> None:
    connection.receive_data(BROWSER_REQUEST)
    list(connection.next_event().headers)  # type: ignore[union-attr]


def _parse_h11(connection: h11.Connection) -> None:
    connection.receive_data(BROWSER_REQUEST)
    connection.next_event()


def _parse_and_read_h11(connection: h11.Connection) -> None:
    connection.receive_data(BROWSER_REQUEST)
    list(connection.next_event().headers)  # type: ignore[union-attr]


CASES: Cases = {
    "head fast, no field read": block_timer(lambda: server("fast"), _parse),
    "head fast, all fields read": block_timer(lambda: server("fast"), _parse_and_read),
    "head portable, no field read": block_timer(lambda: server("portable"), _parse),
    "head portable, all fields read": block_timer(lambda: server("portable"), _parse_and_read),
    "head h11, no field read": block_timer(h11_server, _parse_h11),
    "head h11, all fields read": block_timer(h11_server, _parse_and_read_h11),
}

if __name__ == "__main__":
    run(CASES)
