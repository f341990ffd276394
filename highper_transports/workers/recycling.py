"""When a worker has served long enough to be replaced by a fresh one.

Against applications that leak. Each worker draws its own bounds, a little below what was set, so that those which
started together do not end together.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from math import inf
from random import Random

from highper_core.errors import HighperError

__all__ = ["Recycling", "RecyclingUnavailable", "resident_size"]

_STATM = "/proc/self/statm"


class RecyclingUnavailable(HighperError):
    """A bound was set that this platform cannot measure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recycling:
    """Bounds of a worker's life; each None for no bound. They are looked at once a second.

    Args:
        requests: requests begun.
        memory: bytes of resident memory, pages shared with other workers included.
        age: seconds.
        jitter: each worker's bounds are up to this fraction lower.

    Raises:
        RecyclingUnavailable: `memory` is set and resident memory cannot be read here.
    """

    requests: float | None = None
    memory: float | None = None
    age: float | None = None
    jitter: float = 0.1

    def __post_init__(self) -> None:
        if self.memory is not None and not os.path.exists(_STATM):
            raise RecyclingUnavailable(f"a bound of memory needs {_STATM}, which {sys.platform} does not have")

    def draw(self, random: Random) -> Recycling:
        """Return the bounds of one worker."""
        scale = 1.0 - self.jitter * random.random()
        scaled = [None if bound is None else bound * scale for bound in (self.requests, self.memory, self.age)]
        return Recycling(requests=scaled[0], memory=scaled[1], age=scaled[2], jitter=0.0)

    def due(self, requests: int, age: float) -> str | None:
        """Return why a worker has served long enough, or None."""
        if requests >= (inf if self.requests is None else self.requests):
            return f"{requests} requests"
        if age >= (inf if self.age is None else self.age):
            return f"{age:.0f} seconds old"
        if self.memory is not None and (size := resident_size()) >= self.memory:
            return f"{size / 2**20:.0f} MiB resident"
        return None


def resident_size() -> int:
    """Return the bytes of memory this process has resident."""
    with open(_STATM, "rb") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
