"""Promises about tasks and waiters."""

from __future__ import annotations

import asyncio
import gc
from contextvars import ContextVar, copy_context
from typing import Any

import anyio

from .stage import PROMISES, Stage, ensure, promise

__all__ = ["PROMISES"]

_variable: ContextVar[str] = ContextVar("_variable", default="nothing")


@promise
async def spawn_starts_at_once_where_no_task_is_current(stage: Stage) -> None:
    """The first step of a task runs inside `spawn` where no task is current."""
    seen: list[str] = []

    async def work() -> None:
        seen.append("step")

    def act() -> list[str]:
        stage.transport.spawn(work(), copy_context())
        return list(seen)

    inside = await stage.in_callback(act)
    ensure(not stage.options.eager or inside == ["step"], "the first step did not run inside spawn()")
    await stage.until(lambda: seen == ["step"], "the first step runs")


@promise
async def spawn_waits_where_a_task_is_current(stage: Stage) -> None:
    """Inside a task the first step of another waits: no task's code runs in the middle of another's."""
    seen: list[str] = []

    async def work() -> None:
        seen.append("step")

    stage.transport.spawn(work(), copy_context())
    ensure(not seen, "a step ran inside another task's step")
    await stage.until(lambda: seen == ["step"], "the first step runs")


@promise
async def the_first_step_is_in_a_real_task(stage: Stage) -> None:
    """`current_task` is the task that `spawn` returns, also in the first step; after it, no task is current."""
    inside: list[Any] = []
    after: list[Any] = []

    async def work() -> None:
        inside.append(asyncio.current_task())
        await anyio.sleep(0)
        inside.append(asyncio.current_task())

    def act() -> Any:
        task = stage.transport.spawn(work(), copy_context())
        after.append(asyncio.current_task())
        return task

    task = await stage.in_callback(act)
    await stage.until(lambda: len(inside) == 2, "the task goes on after its first step")
    ensure(all(item is task for item in inside), "current_task() is not the task that spawn() returned")
    ensure(after == [None], "a task is current after spawn()")


@promise
async def the_context_is_the_given_one(stage: Stage) -> None:
    """A task sees and changes the given Context only, from its first step to its last."""
    seen: list[str] = []

    async def work() -> None:
        seen.append(_variable.get())
        _variable.set("inner")
        await anyio.sleep(0)
        seen.append(_variable.get())

    context = copy_context()
    context.run(_variable.set, "given")
    await stage.in_callback(lambda: stage.transport.spawn(work(), context))
    await stage.until(lambda: len(seen) == 2, "the task ends")
    ensure(seen == ["given", "inner"], f"the task saw {seen}")
    ensure(context.get(_variable) == "inner", "the task did not run in the given Context itself")
    ensure(_variable.get() == "nothing", "the task changed its creator's Context")


@promise
async def timeouts_work_in_the_first_step(stage: Stage) -> None:
    """`asyncio.timeout` and anyio's scopes, entered in the first step, end what takes too long."""
    seen: list[str] = []

    async def work() -> None:
        try:
            async with asyncio.timeout(0.02):
                await anyio.sleep(30)
        except TimeoutError:
            seen.append("asyncio")
        with anyio.move_on_after(0.02) as scope:
            await anyio.sleep(30)
        seen.append("anyio" if scope.cancelled_caught else "never")

    async def scoped_first() -> None:
        with anyio.move_on_after(0.02):
            await anyio.sleep(30)
        seen.append("scope first")

    await stage.in_callback(lambda: stage.transport.spawn(work(), copy_context()))
    await stage.in_callback(lambda: stage.transport.spawn(scoped_first(), copy_context()))
    await stage.until(lambda: len(seen) == 3, "a timeout of the first step ends the wait")
    ensure(sorted(seen) == ["anyio", "asyncio", "scope first"], f"timeouts ended as {seen}")


@promise
async def task_groups_work_in_the_first_step(stage: Stage) -> None:
    """Task groups of asyncio and anyio, entered in the first step, run and await their children."""
    seen: list[str] = []

    async def child(name: str) -> None:
        await anyio.sleep(0.001)
        seen.append(name)

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(child("a"))
            group.create_task(child("b"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(child, "c")
        seen.append("end")

    await stage.in_callback(lambda: stage.transport.spawn(work(), copy_context()))
    await stage.until(lambda: "end" in seen, "the groups end")
    ensure(seen == ["a", "b", "c", "end"], f"children ended as {seen}")


@promise
async def cancellation_reaches_a_task(stage: Stage) -> None:
    """A task that waits, or cancels itself in its first step, gets the cancellation at its wait."""
    seen: list[str] = []

    async def waits() -> None:
        try:
            await anyio.sleep(60)
        except asyncio.CancelledError:
            seen.append("waiting")
            raise

    async def cancels_itself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        try:
            await anyio.sleep(60)
        except asyncio.CancelledError:
            seen.append("itself")
            raise

    first = await stage.in_callback(lambda: stage.transport.spawn(waits(), copy_context()))
    second = await stage.in_callback(lambda: stage.transport.spawn(cancels_itself(), copy_context()))
    await anyio.sleep(0)
    first.cancel()
    await stage.until(lambda: first.done() and second.done(), "cancelled tasks end")
    ensure(first.cancelled() and second.cancelled(), "a cancelled task is not cancelled")
    ensure(sorted(seen) == ["itself", "waiting"], f"cancellation arrived as {seen}")


@promise
async def what_a_first_step_raises_stays_in_the_task(stage: Stage) -> None:
    """An exception of the first step is the task's, not its creator's."""

    async def work() -> None:
        raise LookupError("on purpose")

    task = await stage.in_callback(lambda: stage.transport.spawn(work(), copy_context()))
    await stage.until(task.done, "the task ends")
    ensure(isinstance(task.exception(), LookupError), "the exception is not the task's")


@promise
async def spawned_tasks_are_held(stage: Stage) -> None:
    """A task that nobody refers to lives on until it ends."""
    seen: list[str] = []

    async def work() -> None:
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.02, future.set_result, None)
        await future
        seen.append("end")

    await stage.in_callback(lambda: stage.transport.spawn(work(), copy_context()) and None)
    gc.collect()
    await stage.until(lambda: seen == ["end"], "a task that nobody refers to ends")


@promise
async def a_waiter_wakes_once(stage: Stage) -> None:
    """A waiter can be woken before or during the wait, any number of times; the wait ends on a later pass."""
    early, late = stage.transport.waiter(), stage.transport.waiter()
    early.wake()
    early.wake()
    await early
    seen: list[str] = []

    async def wait() -> None:
        await late
        seen.append("woken")

    await stage.in_callback(lambda: stage.transport.spawn(wait(), copy_context()))
    await anyio.sleep(0)

    def wake() -> list[str]:
        late.wake()
        late.wake(LookupError("too late to matter"))
        return list(seen)

    ensure(await stage.in_callback(wake) == [], "wake() ran the waiting task")
    await stage.until(lambda: seen == ["woken"], "a woken task goes on")


@promise
async def a_waiter_woken_now_lets_its_task_go_on_at_once(stage: Stage) -> None:
    """`wake_now` steps the waiting task inside the call where no task is current; inside a task the step waits."""
    seen: list[Any] = []

    async def work(waiter: Any) -> None:
        await waiter
        seen.append(asyncio.current_task())

    waiter = stage.transport.waiter()
    task = stage.transport.spawn(work(waiter), copy_context())
    await anyio.sleep(0)

    def act() -> list[Any]:
        waiter.wake_now()
        waiter.wake_now()
        return list(seen)

    inside = await stage.in_callback(act)
    ensure(inside == [task], "the waiting task did not go on inside wake_now()")
    seen.clear()
    waiter = stage.transport.waiter()
    stage.transport.spawn(work(waiter), copy_context())
    await anyio.sleep(0)
    waiter.wake_now()
    ensure(not seen, "a step ran inside another task's step")
    await stage.until(lambda: len(seen) == 1, "a task goes on after wake_now() where another one is current")


@promise
async def a_waiter_passes_an_error_on(stage: Stage) -> None:
    """`wake(error)` raises the error in the waiting task."""
    waiter = stage.transport.waiter()
    stage.transport.call_soon(waiter.wake, LookupError("on purpose"))
    try:
        await waiter
    except LookupError:
        return
    ensure(False, "the error was not raised in the waiting task")


@promise
async def a_cancelled_wait_leaves_the_waiter_spent(stage: Stage) -> None:
    """Waking a waiter whose task was cancelled has no effect."""
    waiter = stage.transport.waiter()
    with anyio.move_on_after(0.01) as scope:
        await waiter
    ensure(scope.cancelled_caught, "the wait could not be cancelled")
    waiter.wake()
    waiter.wake(LookupError("to nobody"))
