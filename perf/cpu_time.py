"""CPU time of a running process tree, and where processes may run."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["cores", "tree_cpu_seconds"]


def tree_cpu_seconds(pid: int) -> float:
    """Return user plus system seconds of `pid` and its living descendants, all threads, ended ones included.

    The kernel keeps this in nanoseconds behind a clock per process; /proc/PID/stat rounds it to ticks of 10 ms.

    Source: clock_getcpuclockid(3).
    """
    return time.clock_gettime((~pid << 3) | 2) + sum(tree_cpu_seconds(child) for child in _children(pid))


def cores() -> tuple[int, int]:
    """Return the core for the server and the one for the load generator, the same when there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def _children(pid: int) -> list[int]:
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        children.extend(int(child) for child in (task / "children").read_text().split())
    return children
