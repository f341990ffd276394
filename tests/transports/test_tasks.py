"""A request's task is a real one from its first instruction, on every asyncio-family provider."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
from support.providers import provider

from highper_transports.asyncio import AsyncioTransport

__all__ = ["provider"]

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")


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


def test_a_task_that_ends_in_its_first_step_is_among_all_tasks_in_it(provider: type[AsyncioTransport]) -> None:
    seen: list[bool] = []

    async def handler() -> None:
        seen.append(asyncio.current_task() in asyncio.all_tasks())

    at_once, _ = from_an_event(provider, handler)
    assert (at_once, seen) == (True, [True])


def test_a_task_may_be_given_a_name(provider: type[AsyncioTransport]) -> None:
    async def main(transport: Any) -> str:
        async def handler() -> str:
            task = asyncio.current_task()
            assert task is not None
            return task.get_name()

        return await transport.spawn(handler(), contextvars.copy_context(), "GET /")  # type: ignore[no-any-return]

    assert provider.run(main) == "GET /"
