"""Promises about the clock, callbacks, timers and signals."""

from __future__ import annotations

import asyncio
import os
import signal

import anyio
from zope.interface.verify import verifyObject

from ..interfaces import ITransport
from ..timers import RESOLUTION, Timed
from .stage import PROMISES, Stage, ensure, promise

__all__ = ["PROMISES"]


class _Alarm(Timed):
    __slots__ = ("rung", "stage")

    def __init__(self, stage: Stage) -> None:
        Timed.__init__(self)
        self.stage = stage
        self.rung: list[float] = []

    def expired(self, now: float) -> None:
        self.rung.append(self.stage.transport.now())


@promise
async def provides_the_interface(stage: Stage) -> None:
    """A provider has every attribute and method of ITransport, with its signatures."""
    verifyObject(ITransport, stage.transport)


@promise
async def clock_is_monotonic(stage: Stage) -> None:
    """`now()` never goes back, and waiting moves it by at least the time waited."""
    readings = []
    for _ in range(50):
        readings.append(stage.transport.now())
        await anyio.sleep(0)
    ensure(readings == sorted(readings), "now() went back")
    before = stage.transport.now()
    await anyio.sleep(0.05)
    ensure(stage.transport.now() - before >= 0.049, "now() moved less than the time waited")


@promise
async def call_soon_is_never_synchronous(stage: Stage) -> None:
    """Callbacks run on a later pass, in order, with their arguments, and those they add on a pass after that."""
    seen: list[object] = []
    transport = stage.transport

    def first() -> None:
        transport.call_soon(seen.append, "added")
        seen.append("first")

    transport.call_soon(first)
    transport.call_soon(seen.append, "second")
    ensure(not seen, "a callback ran inside call_soon()")
    await stage.until(lambda: len(seen) == 3, "callbacks run")
    ensure(seen == ["first", "second", "added"], f"callbacks ran in the order {seen}")


@promise
async def a_raising_callback_harms_nobody_else(stage: Stage) -> None:
    """A callback that raises does not keep those behind it from running."""
    seen: list[int] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, what: seen.append(0))
    stage.transport.call_soon(lambda: 1 // 0)
    stage.transport.call_soon(seen.append, 1)
    await stage.until(lambda: 1 in seen, "the callback behind a raising one runs")
    ensure(0 in seen, "the error was swallowed")


@promise
async def timers_keep_their_time(stage: Stage) -> None:
    """A deadline is met after its time, at most one resolution and some scheduling later; a moved one at the last."""
    transport = stage.transport
    start = transport.now()
    soon, moved, cancelled = _Alarm(stage), _Alarm(stage), _Alarm(stage)
    transport.timers.arm(soon, start + 0.1)
    transport.timers.arm(moved, start + 0.05)
    transport.timers.arm(moved, start + 0.3)
    transport.timers.arm(cancelled, start + 0.1)
    transport.timers.cancel(cancelled)
    transport.timers.cancel(cancelled)
    await stage.until(lambda: bool(soon.rung and moved.rung), "a deadline is met")
    await anyio.sleep(2 * RESOLUTION)
    ensure(len(soon.rung) == len(moved.rung) == 1, "a deadline was met twice")
    ensure(soon.rung[0] >= start + 0.1 - 1e-6 and moved.rung[0] >= start + 0.3 - 1e-6, "a deadline was met early")
    ensure(moved.rung[0] < start + 0.3 + RESOLUTION + 1.0, "a deadline was met far too late")
    ensure(not cancelled.rung, "a cancelled deadline was met")
    ensure(len(transport.timers) == 0, "the wheel holds what nobody waits for")


@promise
async def a_past_deadline_is_met_soon_not_at_once(stage: Stage) -> None:
    """A deadline that has passed is met by the loop, not inside `arm`."""
    alarm = _Alarm(stage)
    stage.transport.timers.arm(alarm, stage.transport.now() - 1)
    ensure(not alarm.rung, "a deadline was met inside arm()")
    await stage.until(lambda: bool(alarm.rung), "a past deadline is met")


@promise
async def signals_are_passed_on(stage: Stage) -> None:
    """A watched signal calls back in the loop; one that is not watched any more does not."""
    seen: list[int] = []
    previous = signal.signal(signal.SIGUSR2, lambda number, frame: seen.append(2))
    try:
        stage.transport.watch_signal(signal.SIGUSR2, lambda: seen.append(1))
        os.kill(os.getpid(), signal.SIGUSR2)
        await stage.until(lambda: bool(seen), "a watched signal calls back")
        ensure(seen == [1], "a watched signal calls back once")
        stage.transport.watch_signal(signal.SIGUSR2, None)
    finally:
        signal.signal(signal.SIGUSR2, previous)
