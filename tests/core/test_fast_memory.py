"""When memory runs out in the fast engine, wherever that is, `MemoryError` is raised and only the call is lost."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from highper_core import Connection, Data, Event, HttpConnection, Response, Role, Signal, available

_testcapi = pytest.importorskip("_testcapi", reason="allocations cannot be made to fail here")
pytestmark = [
    pytest.mark.skipif(available()["fast"] is not None, reason="the fast engine is not built"),
    pytest.mark.skipif(
        sys.version_info >= (3, 13), reason="from 3.13 on plain Python code crashes under this hook, too"
    ),
    pytest.mark.skipif(sys.gettrace() is not None, reason="tracers do not survive failing allocations"),
]

MANY_FIELDS = b"".join(b"X-%d: v\r\n" % number for number in range(40))
HEAD = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" + MANY_FIELDS + b"\r\n"
CONTENT = b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"


def fails_once_everywhere(work: Callable[[], object]) -> int:
    """Run `work` with its n-th allocation failing, for every n that it reaches; return how many it survived."""
    number = 0
    while number < 2_000:
        _testcapi.set_nomemory(number, number + 1)
        try:
            work()
        except MemoryError:
            number += 1
        else:
            return number
        finally:
            _testcapi.remove_mem_hooks()
    raise AssertionError("there is no end to the allocations")


def read_all(connection: Connection) -> list[Event]:
    events: list[Event] = []
    while not isinstance(event := connection.next_event(), Signal):
        events.append(event)
    return events


@pytest.mark.parametrize("pieces", [[HEAD + CONTENT], [HEAD[:50], HEAD[50:], CONTENT[:3], CONTENT[3:]]])
def test_reading(pieces: list[bytes]) -> None:
    """Reading a head with many fields, chunks and trailers, whole and in pieces."""

    def work() -> None:
        connection = HttpConnection(Role.SERVER, engine="fast")
        for piece in pieces:
            connection.receive_data(piece)
            for event in read_all(connection):
                list(getattr(event, "headers", ()))

    assert fails_once_everywhere(work) > 20


def test_a_failed_copy_keeps_what_was_there() -> None:
    """Octets that could not be appended are missing; those before them are not."""
    connection = HttpConnection(Role.SERVER, engine="fast")
    connection.receive_data(HEAD[:-1])
    connection.next_event()
    last, failed = HEAD[-1:], False
    _testcapi.set_nomemory(0, 1)
    try:
        connection.receive_data(last)
    except MemoryError:
        failed = True
    finally:
        _testcapi.remove_mem_hooks()
    assert failed
    connection.receive_data(last)
    assert [type(event).__name__ for event in read_all(connection)] == ["Request"]


def test_writing() -> None:
    """Writing a head and chunks."""

    def work() -> None:
        connection = HttpConnection(Role.SERVER, engine="fast")
        connection.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        read_all(connection)
        connection.send(Response(status_code=200, headers=[(b"content-type", b"text/plain")]))
        connection.send(Data(b"x" * 5000))
        connection.send(Data(b"x" * 50000))
        connection.data_to_send()

    assert fails_once_everywhere(work) > 5
