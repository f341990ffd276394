"""Records of the epoll transport without sockets: what they take, and how long their deadlines."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from itertools import cycle, repeat

from .memory import private_bytes

__all__ = ["simulate"]

IDLE = 75.0  # seconds: the usual deadline, spread as arrivals would spread it
TURNS = 8  # a second


def simulate(number: int) -> dict[str, float]:
    """Lay `number` records to rest; return bytes and nanoseconds each.

    Times are of a call from Python each, less what such a call costs when there is nothing to do.
    """
    from highper_transports.epoll._records import Records

    records = Records(0.0)
    before = private_bytes(os.getpid())
    nothing = _each(number, records.take, repeat(-1, number))
    enter = _each(number, records.enter, range(number))
    deadlines = [1.0 + IDLE * step / 997 for step in range(997)]
    arm = _each(number, records.lay, range(number), cycle(deadlines))
    grown = private_bytes(os.getpid()) - before
    move = _each(number, records.lay, range(number), cycle(deadlines[1:]))
    wake = _each(number, records.take, range(number))
    _each(number, records.lay, range(number), cycle(deadlines))

    longest, expired, now = 0.0, 0, 0.0
    started = time.perf_counter()
    while expired < number:
        now += 1 / TURNS
        turn = time.perf_counter()
        while found := len(records.expired(now)):
            expired += found
        longest = max(longest, time.perf_counter() - turn)
    expire = time.perf_counter() - started
    started = time.perf_counter()
    at = -1
    swept = 0
    while (at := records.next_resting(0, at)) >= 0:
        swept += 1
    sweep = time.perf_counter() - started
    assert swept == number
    remove = _each(number, records.remove, range(number))
    kept = private_bytes(os.getpid()) - before
    return {
        "records": number,
        "bytes each": grown / number,
        "ns to open one": (enter - nothing) / number * 1e9,
        "ns to lay one to rest, deadline armed": (arm - nothing) / number * 1e9,
        "ns to move a deadline": (move - nothing) / number * 1e9,
        "ns to wake one, deadline cancelled": (wake - nothing) / number * 1e9,
        "ns to expire one": expire / number * 1e9,
        "ms of the longest turn of the wheel": longest * 1e3,
        "ns to visit one": sweep / number * 1e9,
        "ns to close one": (remove - nothing) / number * 1e9,
        "ns of a call that does nothing (taken off)": nothing / number * 1e9,
        "bytes each kept after all were closed": kept / number,
    }


def _each(number: int, act: Callable[..., object], *arguments: Iterable[object]) -> float:
    """Return the seconds that `act` takes for all arguments."""
    started = time.perf_counter()
    deque(map(act, *arguments), maxlen=0)
    return time.perf_counter() - started
