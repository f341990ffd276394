"""Plain functions in worker threads, never more of them than the loop's thread limiter allows.

A thread cannot be cancelled. When the task that waits for one is, the wait ends and the thread goes on; its result is
dropped. It keeps its place in the limiter until it has really ended: otherwise clients that ask and hang up, again and
again, would make threads without bound.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import Any, Final, TypeVar

from anyio import CapacityLimiter, from_thread, to_thread
from anyio.lowlevel import RunVar

__all__ = ["run_in_thread"]

T = TypeVar("T")

WAITING: Final = 0
RUNNING: Final = 1
ENDED: Final = 2
ORPHANED: Final = 3  # runs, and nobody waits for it any more
WITHDRAWN: Final = 4  # must not begin any more

_unlimited: RunVar[CapacityLimiter] = RunVar("highper_http.threads")


async def run_in_thread(function: Callable[..., T], *args: Any) -> T:
    """Return `function(*args)`, called in a worker thread with a copy of this task's contextvars."""
    place = _Place(to_thread.current_default_thread_limiter())
    await place.limiter.acquire_on_behalf_of(place)
    try:
        return await to_thread.run_sync(place.run, function, args, limiter=_no_limit())
    finally:
        place.leave()


def _no_limit() -> CapacityLimiter:
    """Return the limiter that anyio shall use, since places are ours to give."""
    try:
        return _unlimited.get()
    except LookupError:
        limiter = CapacityLimiter(inf)
        _unlimited.set(limiter)
        return limiter


class _Place:
    """One place in the limiter, given back by whoever is last: the waiting task or the thread."""

    __slots__ = ("_lock", "_state", "limiter")

    def __init__(self, limiter: CapacityLimiter) -> None:
        self.limiter = limiter
        self._lock = threading.Lock()
        self._state = WAITING

    def run(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Call the function, in the thread."""
        with self._lock:
            if self._state == WITHDRAWN:
                return None
            self._state = RUNNING
        try:
            return function(*args)
        finally:
            with self._lock:
                orphaned = self._state == ORPHANED
                self._state = ENDED
            if orphaned:
                with suppress(RuntimeError):  # the loop may be gone
                    from_thread.run_sync(self.limiter.release_on_behalf_of, self)

    def leave(self) -> None:
        """The task does not wait any more."""
        with self._lock:
            if self._state == RUNNING:
                self._state = ORPHANED
                return
            if self._state == WAITING:
                self._state = WITHDRAWN
        self.limiter.release_on_behalf_of(self)
