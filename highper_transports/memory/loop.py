"""An asyncio loop whose clock is virtual: it stands still while anything runs and jumps when nothing can.

`sleep`, `timeout` and every deadline obey `time()`, so an hour of silence costs no time and a run repeats itself. The
clock moves only when no callback is ready and no worker thread is busy, and then to the next timer exactly. Threads
of `run_in_executor` and of `anyio.to_thread` are counted; other threads and real descriptors are looked at before
each jump, not waited for, because nobody can know what they are up to.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import Context
from random import Random
from typing import Any, Final

__all__ = ["Deadlock", "VirtualClockLoop"]

START: Final = 1000.0
RESOLUTION: Final = 1e-9
WORKER: Final = "virtual-clock-worker"
STRANGER_POLL: Final = 0.05  # real seconds between two looks at threads that will not wake us


class Deadlock(RuntimeError):
    """Every task waits for something that cannot happen: no timer, no worker, no descriptor, no signal is left."""


class _Selector(selectors.DefaultSelector):
    """Looks at real descriptors when there are any, and moves the clock instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: VirtualClockLoop | None = None
        self._watched = 0

    def register(self, *args: Any, **options: Any) -> selectors.SelectorKey:
        key = super().register(*args, **options)
        self._watched += 1
        return key

    def unregister(self, *args: Any) -> selectors.SelectorKey:
        key = super().unregister(*args)
        self._watched -= 1
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        loop = self.loop
        if loop is None:
            return super().select(timeout)
        if timeout is not None and timeout <= 0:
            return super().select(0) if self._watched > 1 or loop.watches_signals else []
        while True:
            working = loop.is_working()
            found = super().select(STRANGER_POLL if working else 0)
            if found or loop.has_ready():
                return found
            if working:
                continue
            if timeout is not None:
                loop.jump()
                return []
            if not (self._watched > 1 or loop.watches_signals or loop.has_strangers()):
                raise Deadlock("nothing is ready, no timer is set and no worker is busy")
            if found := super().select(STRANGER_POLL):
                return found


class _Counted(Executor):
    """Passes one call on to an executor and keeps its future."""

    def __init__(self, inner: Executor) -> None:
        self.future: Future[Any] | None = None
        self._inner = inner

    def submit(self, fn: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        self.future = self._inner.submit(fn, *args, **options)
        return self.future


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """A loop on virtual time.

    Attributes:
        jumps: how often the clock was moved.
        late_timers: timers that were set late by `reorder_timers`.
    """

    def __init__(self) -> None:
        self._now = START
        selector = _Selector()
        super().__init__(selector)
        selector.loop = self
        self._clock_resolution = RESOLUTION
        self._working = 0
        self._workers: Executor | None = None
        self._known = set(threading.enumerate())
        self._late = 0.0
        self._random = Random(0)
        self.jumps = 0
        self.late_timers = 0

    def time(self) -> float:
        """Return virtual seconds."""
        return self._now

    def jump(self) -> None:
        """Move the clock to the next timer."""
        self.jumps += 1
        when = self._scheduled[0].when()  # type: ignore[attr-defined]
        if when > self._now:
            self._now = when

    def skip(self, seconds: float) -> None:
        """Move the clock at once, as it moves for a machine that was suspended."""
        self._now += seconds

    def reorder_timers(self, late: float, random: Random) -> None:
        """Let every timer set from now on fire up to `late` seconds after its time, and so in another order."""
        self._late = late
        self._random = random

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Set a timer, as asyncio does, a little late where timers are being reordered."""
        if self._late:
            self.late_timers += 1
            when += self._random.random() * self._late
        return super().call_at(when, callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run in a thread, as asyncio does; the clock stands still until the thread is done, cancelled or not."""
        if executor is None:
            if self._workers is None:
                self._workers = self._default_executor  # type: ignore[attr-defined]
            if self._workers is None:
                self._workers = ThreadPoolExecutor(thread_name_prefix=WORKER)
                self.set_default_executor(self._workers)
            executor = self._workers
        counted = _Counted(executor)
        future = super().run_in_executor(counted, func, *args)
        assert counted.future is not None
        self._working += 1
        # registered after asyncio's own callback, so the result is ready before the worker counts as idle
        counted.future.add_done_callback(self._done)
        return future

    async def shutdown_default_executor(self, *args: Any, **options: Any) -> None:
        """End the workers, as asyncio does; the clock stands still meanwhile, or its timeout would pass at once."""
        self._working += 1
        try:
            await super().shutdown_default_executor(*args, **options)
        finally:
            self._working -= 1

    def _done(self, future: Future[Any]) -> None:
        if not self.is_closed():
            self.call_soon_threadsafe(self._idle)

    def _idle(self) -> None:
        self._working -= 1

    def has_ready(self) -> bool:
        """Whether a callback waits to run."""
        return bool(self._ready)  # type: ignore[attr-defined]

    def is_working(self) -> bool:
        """Whether a worker thread is busy for this loop."""
        if self._working:
            return True
        if threading.active_count() == 1:
            return False
        return any(_is_busy(thread, self) for thread in threading.enumerate())

    def has_strangers(self) -> bool:
        """Whether a thread runs that was started meanwhile and is no worker of this loop."""
        return any(
            thread not in self._known
            and not thread.name.startswith(WORKER)
            and getattr(thread, "loop", None) is not self
            for thread in threading.enumerate()
        )

    @property
    def watches_signals(self) -> bool:
        """Whether a signal can wake this loop."""
        return bool(self._signal_handlers)  # type: ignore[attr-defined]


def _is_busy(thread: threading.Thread, loop: asyncio.AbstractEventLoop) -> bool:
    """Whether an anyio worker of `loop` has work: it belongs to the pool and is not on its idle list."""
    if getattr(thread, "loop", None) is not loop:
        return False
    return thread in getattr(thread, "workers", ()) and thread not in getattr(thread, "idle_workers", ())
