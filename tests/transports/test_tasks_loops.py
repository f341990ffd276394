"""Tasks begun at once, in loops of every kind and several threads: what is called soon is called, what runs is held."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import gc
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from support.providers import provider

from highper_transports.asyncio import AsyncioTransport
from highper_transports.asyncio.tasks import TaskStarter
from highper_transports.uvloop import UvloopTransport

__all__ = ["provider"]

ROOT = Path(__file__).parents[2]


def test_what_a_first_step_calls_soon_is_called(provider: type[AsyncioTransport]) -> None:
    """Also in the task's own context, in which its first step was kept back."""

    async def main(transport: Any) -> list[str]:
        called: list[str] = []
        done: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()

        async def handler() -> None:
            loop = asyncio.get_running_loop()
            loop.call_soon(called.append, "plainly")
            loop.call_soon(called.append, "in its context", context=contextvars.copy_context())
            loop.call_soon(lambda: called.append("here"))
            loop.call_soon(done.set_result, called)

        transport.call_soon(lambda: transport.spawn(handler(), contextvars.copy_context()))
        return await done

    assert provider.run(main) == ["plainly", "in its context", "here"]


def test_a_loop_that_replaces_call_soon_has_its_own_called() -> None:
    asked: list[object] = []

    class Asking(asyncio.SelectorEventLoop):
        def call_soon(self, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Any:
            asked.append(callback)
            return super().call_soon(callback, *args, context=context)

    async def handler() -> None:
        asyncio.get_running_loop().call_soon(marker)

    def marker() -> None:
        pass

    loop = Asking()
    starter = TaskStarter(loop)
    try:
        loop.call_soon(lambda: starter.start(handler(), contextvars.copy_context()))
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(asyncio.sleep(0))
    finally:
        loop.close()
    assert marker in asked


def test_a_loop_that_takes_no_attributes_starts_later() -> None:
    """On 3.11; from 3.12 on it is the task that starts at once, whatever the loop."""
    import uvloop.loop

    async def handler() -> str:
        return "done"

    def event() -> None:
        task = starter.start(handler(), contextvars.copy_context())
        started.append((task.done(), task))

    started: list[tuple[bool, Any]] = []
    loop = uvloop.loop.Loop()
    starter = TaskStarter(loop)
    try:
        loop.call_soon(event)
        loop.call_soon(loop.call_soon, loop.stop)
        loop.run_forever()
    finally:
        loop.close()
    [(at_once, task)] = started
    assert (at_once, task.result()) == (sys.version_info >= (3, 12), "done")


def test_two_starters_of_one_loop_run_first_steps_at_once(provider: type[AsyncioTransport]) -> None:
    """Also where somebody has put a `call_soon` of his own upon that of the first."""

    async def handler() -> str:
        return "done"

    async def main(transport: Any) -> list[bool]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[list[bool]] = loop.create_future()

        def event() -> None:
            at_once = []
            for starter in (TaskStarter(loop), TaskStarter(loop)):
                at_once.append(starter.start(handler(), contextvars.copy_context()).done())
            call_soon = loop.call_soon
            loop.call_soon = lambda *args, **options: call_soon(*args, **options)  # type: ignore[method-assign, assignment]
            at_once.append(TaskStarter(loop).start(handler(), contextvars.copy_context()).done())
            done.set_result(at_once)

        transport.call_soon(event)
        return await done

    assert provider.run(main) == [True] * 3


def test_running_tasks_are_held(provider: type[AsyncioTransport]) -> None:
    """A loop refers to its tasks weakly; nobody else does here."""

    async def main(transport: Any) -> str:
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def handler() -> None:
            await asyncio.sleep(0.01)
            done.set_result("survived")

        def event() -> None:
            transport.spawn(handler(), contextvars.copy_context())

        transport.call_soon(event)
        await asyncio.sleep(0)
        gc.collect()
        return await done

    assert provider.run(main) == "survived"


def test_exit_leaves_the_loop(provider: type[AsyncioTransport]) -> None:
    """In a process of its own: what an exit leaves behind is logged when the interpreter collects it."""
    script = f"""
import asyncio, contextvars
from highper_transports.registry import transport

async def main(transport):
    async def handler():
        raise SystemExit(3)
    transport.call_soon(lambda: transport.spawn(handler(), contextvars.copy_context()))
    await asyncio.sleep(5)

transport({provider.name!r}).run(main)
"""
    done = subprocess.run([sys.executable, "-P", "-c", script], cwd=ROOT, capture_output=True, timeout=30)
    assert done.returncode == 3


@pytest.mark.parametrize("runner", ["asyncio", "uvloop"])
def test_in_a_foreign_loop(runner: str) -> None:
    """As in one of ours."""
    import uvloop

    async def main() -> tuple[bool, str]:
        transport = (AsyncioTransport if runner == "asyncio" else UvloopTransport)()
        spawned: asyncio.Future[tuple[bool, Awaitable[str]]] = asyncio.get_running_loop().create_future()

        async def handler() -> str:
            assert asyncio.current_task() is not None
            return "done"

        def event() -> None:
            task = transport.spawn(handler(), contextvars.copy_context())
            spawned.set_result((task.done(), task))

        transport.call_soon(event)
        at_once, task = await spawned
        return at_once, await task

    factory = asyncio.SelectorEventLoop if runner == "asyncio" else uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as foreign:
        assert foreign.run(main()) == (True, "done")


class _Finalised:
    """Garbage in a cycle, which asks something of the loop when it is collected, as a stream of asyncio's does."""

    def __init__(self, call_soon: Callable[[], object]) -> None:
        self.itself = self
        self.call_soon = call_soon

    def __del__(self) -> None:
        self.call_soon()


def test_a_collection_while_a_task_is_made_loses_no_callback(provider: type[AsyncioTransport]) -> None:
    """Making a task may run finalisers: what they ask of the loop is not taken for the task's first step."""
    called: list[int] = []
    made = 5000

    async def handler() -> None:
        pass

    async def main(transport: Any) -> None:
        loop = asyncio.get_running_loop()
        thresholds = gc.get_threshold()
        gc.set_threshold(7)
        try:
            for number in range(made):
                _Finalised(lambda number=number: loop.call_soon(called.append, number))  # type: ignore[misc]
                transport.spawn(handler(), contextvars.copy_context())
        finally:
            gc.set_threshold(*thresholds)
        gc.collect()
        await asyncio.sleep(0)

    provider.run(main)
    assert sorted(called) == list(range(made))


def test_loops_of_several_threads_start_their_tasks(provider: type[AsyncioTransport]) -> None:
    """What a task asks for while it is made is never taken for what another thread's asks."""
    made, threads = 500, 3

    async def handler(outlives: bool) -> bool:
        if outlives:
            await asyncio.sleep(0)
        return asyncio.current_task() in asyncio.all_tasks()

    async def main(transport: Any) -> int:
        tasks: list[asyncio.Task[bool]] = []
        ended = transport.waiter()

        def event() -> None:
            tasks.append(transport.spawn(handler(len(tasks) % 2 == 0), contextvars.copy_context()))
            transport.call_soon(event if len(tasks) < made else ended.wake)

        transport.call_soon(event)
        await ended
        return sum(await asyncio.gather(*tasks))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            runs = [pool.submit(provider.run, main) for _ in range(threads)]
            assert [run.result(timeout=60) for run in runs] == [made] * threads
    finally:
        sys.setswitchinterval(interval)
