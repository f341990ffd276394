"""Work grows with the bytes, not faster: byte by byte, in tiny chunks, in long lines, in many fields."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

import pytest

from highper_core import NEED_DATA, PAUSED, HttpConnection, Limits, Role

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
CODED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
WIDE = Limits(request_line=1 << 22, field_line=1 << 22, head=1 << 22, fields=1 << 20, chunk_extensions=1 << 22)
FACTOR = 16
SLACK = 3.0  # a quadratic reader would need FACTOR times as long per byte

SHAPES: dict[str, Callable[[int], bytes]] = {
    "long line": lambda size: HEAD + b"a: " + b"b" * size + b"\r\n\r\n",
    "long request-line": lambda size: b"GET /" + b"b" * size + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "many fields": lambda size: HEAD + b"a: b\r\n" * (size // 6) + b"\r\n",
    "tiny chunks": lambda size: CODED + b"1\r\na\r\n" * (size // 6) + b"0\r\n\r\n",
    "chunk extensions": lambda size: CODED + b"1;a=b;c\r\na\r\n" * (size // 12) + b"0\r\n\r\n",
    "many trailers": lambda size: CODED + b"0\r\n" + b"a: b\r\n" * (size // 6) + b"\r\n",
    "content": lambda size: HEAD + b"Content-Length: %d\r\n\r\n" % size + b"a" * size,
    "pipelined": lambda size: b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * (size // 27),
}


def seconds_per_byte(engine: str, data: bytes, step: int) -> float:
    """Return the least of three."""
    times = []
    for _ in range(3):
        connection = HttpConnection(Role.SERVER, engine, WIDE)
        started = process_time()
        for at in range(0, len(data), step):
            connection.receive_data(data[at : at + step])
            event = connection.next_event()
            while event is not NEED_DATA and event is not PAUSED:
                event = connection.next_event()
        times.append(process_time() - started)
    return min(times) / len(data)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("step", [1, 1 << 30], ids=["byte by byte", "whole"])
def test_time_per_byte_is_flat(engine_name: str, shape: str, step: int) -> None:
    """Sixteen times the bytes take sixteen times as long, with slack for the clock."""
    small, large = 4_000, 4_000 * FACTOR
    short = seconds_per_byte(engine_name, SHAPES[shape](small), step)
    long = seconds_per_byte(engine_name, SHAPES[shape](large), step)
    assert long <= short * SLACK + 2e-8
