"""A request's task is a real one from its first instruction, on every asyncio-family provider."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import gc
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any
from weakref import WeakSet

import anyio
import pytest
from support.providers import REAL

from highper_transports.asyncio import AsyncioTransport
from highper_transports.asyncio._native import Registration
from highper_transports.asyncio.tasks import TaskStarter
from highper_transports.uvloop import UvloopTransport

ROOT = Path(__file__).parents[2]
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")


@pytest.fixture(params=REAL, ids=lambda provider: provider.name)
def provider(request: pytest.FixtureRequest) -> type[AsyncioTransport]:
    return request.param


def from_an_event(
    provider: type[AsyncioTransport], coroutine: Callable[[], Coroutine[Any, Any, Any]]
) -> tuple[bool, asyncio.Task[Any]]:
    """Spawn from a callback of the loop, as a read event does; return whether it was done at once, and the task."""

    async def main(transport: Any) -> tuple[bool, asyncio.Task[Any]]:
        spawned: asyncio.Future[tuple[bool, asyncio.Task[Any]]] = asyncio.get_running_loop().create_future()

        def event() -> None:
            task = transport.spawn(coroutine(), contextvars.copy_context())
            spawned.set_result((task.done(), task))

        transport.call_soon(event)
        at_once, task = await spawned
        await asyncio.wait([task])
        assert len(transport.tasks) == 0
        return at_once, task

    return provider.run(main)


def test_the_first_step_runs_at_once(provider: type[AsyncioTransport]) -> None:
    async def handler() -> str:
        return "done"

    at_once, task = from_an_event(provider, handler)
    assert at_once
    assert task.result() == "done"


def test_the_task_is_current_in_its_first_step(provider: type[AsyncioTransport]) -> None:
    async def handler() -> asyncio.Task[Any] | None:
        assert asyncio.current_task() in asyncio.all_tasks()
        return asyncio.current_task()

    at_once, task = from_an_event(provider, handler)
    assert at_once
    assert task.result() is task


def test_nothing_is_current_afterwards(provider: type[AsyncioTransport]) -> None:
    async def main(transport: Any) -> Any:
        seen: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def handler() -> None:
            await asyncio.sleep(0)

        def event() -> None:
            transport.spawn(handler(), contextvars.copy_context())
            seen.set_result(asyncio.current_task())

        transport.call_soon(event)
        return await seen

    assert provider.run(main) is None


def test_a_timeout_in_the_first_step(provider: type[AsyncioTransport]) -> None:
    async def handler() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            return "timed out"
        return "never"

    at_once, task = from_an_event(provider, handler)
    assert not at_once
    assert task.result() == "timed out"


def test_a_task_group_in_the_first_step(provider: type[AsyncioTransport]) -> None:
    async def child(value: int) -> int:
        await asyncio.sleep(0)
        return value

    async def handler() -> list[int]:
        async with asyncio.TaskGroup() as group:
            children = [group.create_task(child(value)) for value in range(3)]
        return [item.result() for item in children]

    _, task = from_an_event(provider, handler)
    assert task.result() == [0, 1, 2]


def test_a_failing_task_group_in_the_first_step(provider: type[AsyncioTransport]) -> None:
    async def child() -> None:
        raise ValueError("child")

    async def handler() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(child())
            await asyncio.Event().wait()

    _, task = from_an_event(provider, handler)
    assert isinstance(task.exception(), ExceptionGroup)


def test_cancelling_itself_in_the_first_step(provider: type[AsyncioTransport]) -> None:
    async def handler() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel("enough")
        assert task.cancelling() == 1
        await asyncio.sleep(0)

    _, task = from_an_event(provider, handler)
    assert task.cancelled()


def test_cancelling_from_outside_after_the_first_step(provider: type[AsyncioTransport]) -> None:
    async def main(transport: Any) -> list[str]:
        log: list[str] = []
        spawned: asyncio.Future[asyncio.Task[Any]] = asyncio.get_running_loop().create_future()

        async def handler() -> None:
            log.append("begun")
            try:
                await asyncio.Event().wait()
            finally:
                log.append("ended")

        transport.call_soon(lambda: spawned.set_result(transport.spawn(handler(), contextvars.copy_context())))
        task = await spawned
        assert len(transport.tasks) == 1
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        return log

    assert provider.run(main) == ["begun", "ended"]


def test_anyio_in_the_first_step(provider: type[AsyncioTransport]) -> None:
    async def handler() -> str:
        with anyio.move_on_after(0.01) as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.sleep, 0)
                await anyio.sleep(60)
        assert scope.cancelled_caught
        async with anyio.create_task_group() as group:
            group.cancel_scope.cancel()
            await anyio.sleep(60)
        return anyio.get_current_task().name or "unnamed"

    _, task = from_an_event(provider, handler)
    assert task.result() == task.get_name()


def test_awaiting_a_thread_in_the_first_step(provider: type[AsyncioTransport]) -> None:
    async def handler() -> int:
        return await anyio.to_thread.run_sync(lambda: 7)

    _, task = from_an_event(provider, handler)
    assert task.result() == 7


def test_an_error_in_the_first_step_stays_in_the_task(provider: type[AsyncioTransport]) -> None:
    async def handler() -> None:
        raise ValueError("mine")

    at_once, task = from_an_event(provider, handler)
    assert at_once
    assert isinstance(task.exception(), ValueError)


def test_each_task_has_its_own_context(provider: type[AsyncioTransport]) -> None:
    async def handler() -> str:
        before = variable.get()
        variable.set("inside")
        await asyncio.sleep(0)
        return f"{before} {variable.get()}"

    _, task = from_an_event(provider, handler)
    assert task.result() == "outside inside"
    assert variable.get() == "outside"


def test_within_a_task_the_first_step_is_scheduled(provider: type[AsyncioTransport]) -> None:
    """A step within a step would let one task's code run in the middle of another's."""

    async def main(transport: Any) -> tuple[bool, str]:
        async def handler() -> str:
            return "done"

        task = transport.spawn(handler(), contextvars.copy_context())
        return task.done(), await task

    assert provider.run(main) == (False, "done")


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


def test_a_registered_object_leaves_its_set_when_it_dies() -> None:
    """What asyncio's set of all tasks is given on 3.11 is as weak as what it takes itself."""

    class Member:
        pass

    members: WeakSet[Member] = WeakSet()
    add = Registration(members).add_made
    first, second = Member(), Member()
    add(first)
    add(first)
    add(second)
    assert len(members) == 2
    del second
    assert set(members) == {first}
    third = Member()
    add(third)
    iteration = iter(members)
    one = next(iteration)
    del first, third, one
    add(Member())
    assert list(iteration) == []
    del iteration
    assert (len(members), len(members.data)) == (0, 0)  # type: ignore[attr-defined]


def test_a_task_is_among_all_tasks_from_its_first_step_to_its_last(provider: type[AsyncioTransport]) -> None:
    seen: list[bool] = []
    go_on = asyncio.Event()

    async def handler() -> None:
        task = asyncio.current_task()
        seen.append(task in asyncio.all_tasks())
        await go_on.wait()
        seen.append(task in asyncio.all_tasks())

    async def main(transport: Any) -> None:
        spawned: asyncio.Future[asyncio.Task[Any]] = asyncio.get_running_loop().create_future()
        transport.call_soon(lambda: spawned.set_result(transport.spawn(handler(), contextvars.copy_context())))
        task = await spawned
        assert task in asyncio.all_tasks()
        go_on.set()
        await task
        assert task not in asyncio.all_tasks()

    provider.run(main)
    assert seen == [True, True]


def test_a_task_that_ends_in_its_first_step_is_among_all_tasks_in_it(provider: type[AsyncioTransport]) -> None:
    seen: list[bool] = []

    async def handler() -> None:
        seen.append(asyncio.current_task() in asyncio.all_tasks())

    at_once, _ = from_an_event(provider, handler)
    assert (at_once, seen) == (True, [True])


def test_a_loop_that_is_gone_leaves_nothing_among_all_tasks(provider: type[AsyncioTransport]) -> None:
    known: Any = vars(asyncio.tasks)
    references = known["_all_tasks" if sys.version_info < (3, 12) else "_scheduled_tasks"].data

    async def main(transport: Any) -> None:
        pass

    provider.run(main)
    gc.collect()
    before = len(references)
    for _ in range(3):
        provider.run(main)
    gc.collect()
    assert len(references) <= before


def test_tasks_that_are_over_are_forgotten(provider: type[AsyncioTransport]) -> None:
    async def handler() -> None:
        pass

    async def main(transport: Any) -> int:
        for _ in range(100):
            transport.spawn(handler(), contextvars.copy_context())
        await asyncio.sleep(0)
        return len(asyncio.all_tasks())

    assert provider.run(main) == 1


def test_a_task_may_be_given_a_name(provider: type[AsyncioTransport]) -> None:
    async def main(transport: Any) -> str:
        async def handler() -> str:
            task = asyncio.current_task()
            assert task is not None
            return task.get_name()

        return await transport.spawn(handler(), contextvars.copy_context(), "GET /")  # type: ignore[no-any-return]

    assert provider.run(main) == "GET /"
