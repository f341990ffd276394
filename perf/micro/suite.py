"""What the suites share: connections made ready outside the clock, and the loop that times them."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import h11
import pyperf
from messages import BROWSER_REQUEST, RESPONSE_FIELDS

if importlib.util.find_spec("highper_core") is None:  # not installed: measure the tree this file is in
    sys.path.insert(0, str(Path(__file__).parents[2]))

from highper_core import Connection, HttpConnection, Role

__all__ = ["BROWSER_REQUEST", "RESPONSE_FIELDS", "Cases", "block_timer", "h11_server", "run", "server"]

T = TypeVar("T")
Cases = dict[str, Callable[[int], float]]

BLOCK = 64  # few enough to stay in the processor's cache, enough to make the clock's own cost vanish


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
