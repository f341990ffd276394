"""What processes and the kernel hold in memory, as the kernel tells it."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["anonymous_bytes", "kernel_bytes", "private_bytes"]

PAGE = os.sysconf("SC_PAGE_SIZE")


def private_bytes(pid: int) -> int:
    """Return the bytes that only this process has: what its end would give back. Source: proc_pid_smaps(5)."""
    rollup = _table(Path(f"/proc/{pid}/smaps_rollup"))
    return rollup["Private_Clean"] + rollup["Private_Dirty"]


def anonymous_bytes(pid: int) -> int:
    """Return the bytes of a process that no file backs. Others that map the same files do not change it."""
    return _table(Path(f"/proc/{pid}/smaps_rollup"))["Anonymous"]


def kernel_bytes() -> int:
    """Return the bytes that the kernel holds for its own objects and for what sockets have buffered.

    Of all processes, so only the growth while nothing else goes on means something.
    """
    memory = _table(Path("/proc/meminfo"))
    buffered = 0
    for line in Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            words = line.split()
            buffered = int(words[words.index("mem") + 1]) * PAGE
    return memory["Slab"] + memory.get("Percpu", 0) + buffered


def _table(file: Path) -> dict[str, int]:
    table = {}
    for line in file.read_text().splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == "kB":
            table[words[0].rstrip(":")] = int(words[1]) * 1024
    return table
