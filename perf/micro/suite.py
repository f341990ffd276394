"""What the suites share: typical messages, connections made ready outside the clock, and the loop that times them."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import h11
import pyperf

if importlib.util.find_spec("highper_core") is None:  # not installed: measure the tree this file is in
    sys.path.insert(0, str(Path(__file__).parents[2]))

from highper_core import Connection, HttpConnection, Role

__all__ = ["BROWSER_REQUEST", "RESPONSE_FIELDS", "Cases", "block_timer", "h11_server", "run", "server"]

T = TypeVar("T")
Cases = dict[str, Callable[[int], float]]

BLOCK = 64  # few enough to stay in the processor's cache, enough to make the clock's own cost vanish

BROWSER_REQUEST = (
    b"GET /articles/2026/11/sans-io?page=2 HTTP/1.1\r\n"
    b"Host: www.example.org\r\n"
    b"Connection: keep-alive\r\n"
    b"Cache-Control: max-age=0\r\n"
    b"Upgrade-Insecure-Requests: 1\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    b"Sec-Fetch-Site: same-origin\r\n"
    b"Sec-Fetch-Mode: navigate\r\n"
    b"Referer: https://www.example.org/articles\r\n"
    b"Accept-Encoding: gzip, deflate, br\r\n"
    b"Accept-Language: en-GB,en;q=0.9\r\n"
    b"Cookie: session=0123456789abcdef; theme=dark\r\n"
    b"\r\n"
)

RESPONSE_FIELDS = [
    (b"date", b"Fri, 20 Nov 2026 12:00:00 GMT"),
    (b"server", b"highper"),
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-length", b"13"),
    (b"cache-control", b"max-age=60"),
]


def server(engine: str) -> Connection:
    """Return a fresh SERVER connection of `engine`."""
    return HttpConnection(Role.SERVER, engine=engine)


def h11_server() -> h11.Connection:
    """Return a fresh SERVER connection of h11."""
    return h11.Connection(h11.SERVER)


def block_timer(prepare: Callable[[], T], act: Callable[[T], object]) -> Callable[[int], float]:
    """Return a pyperf time function: `act` is timed on subjects that `prepare` made outside the clock."""

    def timed(loops: int) -> float:
        elapsed = 0.0
        while loops > 0:
            subjects = [prepare() for _ in range(min(BLOCK, loops))]
            started = time.perf_counter()
            for subject in subjects:
                act(subject)
            elapsed += time.perf_counter() - started
            loops -= BLOCK
        return elapsed

    return timed


def run(cases: Cases) -> None:
    """Run `cases` under pyperf, which takes its options from the command line."""
    runner = pyperf.Runner()
    for name, timed in cases.items():
        runner.bench_time_func(name, timed)
