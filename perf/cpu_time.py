"""CPU time of a running process tree, and where processes may run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["cores", "tree", "tree_cpu_seconds"]


def tree_cpu_seconds(pid: int) -> float:
    """Return user plus system seconds of `pid` and its living descendants, all threads, ended ones included.

    The kernel keeps this in nanoseconds behind a clock per process; /proc/PID/stat rounds it to ticks of 10 ms.

    Source: clock_getcpuclockid(3).
    """
    return sum(time.clock_gettime((~process << 3) | 2) for process in tree(pid))


def tree(pid: int) -> Iterator[int]:
    """Yield `pid` and its living descendants."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from tree(int(child))


@cache
def cores() -> tuple[int, int]:
    """Return the core for the server and the one for the load generator, the same when there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]
