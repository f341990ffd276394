"""A task that begins at once is among all tasks as long as it runs, and nowhere afterwards."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
from typing import Any
from weakref import WeakSet

from support.providers import provider

from highper_transports.asyncio import AsyncioTransport
from highper_transports.asyncio._native import Registration

__all__ = ["provider"]


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
