# cython: annotation_typing=False
"""All deadlines of a transport, behind one timer of its loop.

Time is cut into ticks. A tick that somebody waits for has a bucket; the earliest bucket has the loop's timer. Moving a
deadline later, which is what every read and write does, only stores a number: the entry stays in its old bucket, and
when that tick comes it is put where it belongs by then. Arming and cancelling are O(1); the heap below holds ticks,
not entries, so its size is bounded by the longest timeout.

A deadline is met at its tick or up to one resolution later, never before.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import ceil, inf
from typing import Any, Final, Protocol

__all__ = ["NEVER", "RESOLUTION", "Timed", "TimerHandle", "TimerWheel"]

NEVER: Final = inf
RESOLUTION: Final = 0.125


class TimerHandle(Protocol):
    """What a loop returns for a timer."""

    def cancel(self) -> None:
        """Forget the timer."""


class Timed:
    """Something with a deadline in a wheel. A stream is one.

    `deadline` is when it wants to be told, `due` when the wheel will look at it; both infinite for never.
    """

    __slots__ = ("deadline", "due")

    def __init__(self) -> None:
        self.deadline = NEVER
        self.due = NEVER

    def expired(self, now: float) -> None:
        """The deadline has passed."""
        raise NotImplementedError


class TimerWheel:
    """Deadlines of one loop.

    Args:
        now: the loop's clock.
        call_at: `call_at(when, callback)` of the loop; returns a handle with `cancel`.
        resolution: seconds a deadline may be late.
    """

    __slots__ = ("_now", "_call_at", "_resolution", "_buckets", "_ticks", "_handle", "_next", "_floor", "_size")

    def __init__(
        self,
        now: Callable[[], float],
        call_at: Callable[[float, Callable[[], None]], Any],
        resolution: float = RESOLUTION,
    ) -> None:
        self._now = now
        self._call_at = call_at
        self._resolution = resolution
        self._buckets: dict[int, dict[Timed, None]] = {}  # ordered, so that a seeded run repeats itself
        self._ticks: list[int] = []
        self._handle: TimerHandle | None = None
        self._next = 0
        self._floor = int(
            now() / resolution
        )  # no bucket at or below it: a deadline in the past is met at the next tick, not in a spin
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def arm(self, timed: Timed, deadline: float) -> None:
        """Tell `timed` when `deadline` has passed, instead of at any deadline it had. Infinity for never.

        Cost: one store, unless the deadline moves before the tick it is filed under.
        """
        timed.deadline = deadline
        if deadline < timed.due - self._resolution:
            self._file(timed)

    def cancel(self, timed: Timed) -> None:
        """Forget `timed`: no reference to it remains here. Idempotent."""
        timed.deadline = NEVER
        if timed.due != NEVER:
            self._unfile(timed)
        if not self._size:
            self._clear()

    def _file(self, timed: Timed) -> None:
        if timed.due != NEVER:
            self._unfile(timed)
        tick = max(ceil(timed.deadline / self._resolution), self._floor + 1)
        bucket = self._buckets.get(tick)
        if bucket is None:
            bucket = self._buckets[tick] = {}
            heappush(self._ticks, tick)
        bucket[timed] = None
        timed.due = tick * self._resolution
        self._size += 1
        if self._handle is None or tick < self._next:
            self._schedule()

    def _unfile(self, timed: Timed) -> None:
        del self._buckets[round(timed.due / self._resolution)][timed]
        self._size -= 1
        timed.due = NEVER

    def _schedule(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._ticks:
            self._next = self._ticks[0]
            self._handle = self._call_at(self._next * self._resolution, self._turn)

    def _clear(self) -> None:
        self._buckets.clear()
        self._ticks.clear()
        self._schedule()

    def _turn(self) -> None:
        self._handle = None
        # a loop may call a little early; half a tick is nearer to this one than to the one before
        horizon = self._now() + self._resolution / 2
        try:
            while self._ticks and self._ticks[0] * self._resolution <= horizon:
                self._empty(self._ticks[0], horizon - self._resolution / 2)
        finally:
            if self._size:
                self._schedule()
            else:
                self._clear()

    def _empty(self, tick: int, now: float) -> None:
        """Take entries one by one, so that one which raises costs the others nothing."""
        due = tick * self._resolution
        moment = now if now > due else due
        self._floor = int(moment / self._resolution)
        bucket = self._buckets[tick]
        while bucket:
            timed = next(iter(bucket))
            del bucket[timed]
            self._size -= 1
            timed.due = NEVER
            if timed.deadline <= moment:
                timed.expired(moment)
            elif timed.deadline != NEVER:
                self._file(timed)
        if self._ticks and self._ticks[0] == tick:  # not cleared by a callback
            heappop(self._ticks)
            del self._buckets[tick]
