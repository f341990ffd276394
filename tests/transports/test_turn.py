"""Streams that are ready together are taken forward a stage at a time, and nobody notices but the processor."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

import pytest

from highper_transports.asyncio.tasks import TaskStarter
from highper_transports.asyncio.turn import Turn
from highper_transports.stream import Receiver, Stream


class Stepping(Receiver):
    """Says what it does, and gives way until it has been called `times` times."""

    def __init__(self, name: str, turn: Turn, said: list[str], times: int = 2) -> None:
        self.name, self.turn, self.said, self.times = name, turn, said, times
        self.stream = Stream(None)  # type: ignore[arg-type]
        self.stream.receiver = self
        self.act: Callable[[], object] | None = None

    def proceed(self, now: float) -> None:
        self.said.append(f"{self.name} at {now:g}")
        self.times -= 1
        if self.act is not None:
            self.act()
        if self.times:
            assert self.turn.give_way(self.stream)


def gathered(turn: Turn, said: list[str], *names: str) -> list[Stepping]:
    """Receivers that have given way, as in a read event."""
    steppings = [Stepping(name, turn, said) for name in names]
    turn.is_open = True
    for stepping in steppings:
        assert turn.give_way(stepping.stream)
    turn.is_open = False
    return steppings


def test_nobody_gives_way_where_no_others_are_served() -> None:
    turn = Turn()
    assert not turn.give_way(Stream(None))  # type: ignore[arg-type]
    assert len(turn) == 0


def test_everybody_comes_as_far_before_anybody_goes_on() -> None:
    said: list[str] = []
    turn = Turn()
    gathered(turn, said, "a", "b", "c")
    turn.go(7.0)
    assert said == ["a at 7", "b at 7", "c at 7"] * 2
    assert len(turn) == 0
    assert not turn.is_open


def test_one_that_raises_keeps_nobody_back() -> None:
    said: list[str] = []
    turn = Turn()
    _, broken, _ = gathered(turn, said, "a", "b", "c")

    def fail() -> None:
        raise LookupError

    broken.act = fail
    with pytest.raises(LookupError):
        turn.go(7.0)
    assert turn.take_failed() is broken.stream
    assert turn.take_failed() is None
    assert not turn.is_open
    turn.go(8.0)
    assert sorted(said) == ["a at 7", "a at 8", "b at 7", "c at 8", "c at 8"]


def test_one_that_is_gone_is_passed_over() -> None:
    said: list[str] = []
    turn = Turn()
    first, second = gathered(turn, said, "a", "b")
    first.act = lambda: setattr(second.stream, "receiver", None)
    turn.go(7.0)
    assert said == ["a at 7", "a at 7"]


def started(turn: Turn, *handlers: Callable[[], Any]) -> tuple[TaskStarter, list[asyncio.Task[Any]]]:
    """Receivers that start a task each."""
    starter = TaskStarter(asyncio.get_running_loop())
    turn.first = starter.first
    tasks: list[asyncio.Task[Any]] = []
    steppings = gathered(turn, [], *map(str, range(len(handlers))))
    for stepping, handler in zip(steppings, handlers, strict=True):
        stepping.times = 1
        stepping.act = lambda handler=handler: tasks.append(starter.start(handler(), contextvars.copy_context()))
    return starter, tasks


def in_a_loop(callback: Callable[[asyncio.Future[Any]], object]) -> Any:
    """Call back from the loop, outside any task, and return what the future gets."""

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        loop.call_soon(callback, done)
        return await done

    return asyncio.run(main())


def test_first_steps_run_when_all_tasks_were_made() -> None:
    """In their own contexts, current and among all tasks; what does not end is held and goes on."""
    variable = contextvars.ContextVar("variable", default="")
    said: list[str] = []

    async def short() -> str:
        assert asyncio.current_task() in asyncio.all_tasks()
        said.append(f"short {len(tasks)} {variable.get()}")
        variable.set("of the short one")
        return "short"

    async def long() -> str:
        said.append(f"long {len(tasks)} {variable.get()}")
        await asyncio.sleep(0)
        return "long"

    def event(done: asyncio.Future[Any]) -> None:
        nonlocal tasks
        turn = Turn()
        starter, tasks = started(turn, short, long, short)
        turn.go(0.0)
        assert tasks[1] in asyncio.all_tasks()
        done.set_result(([task.done() for task in tasks], len(starter), tasks))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        loop.call_soon(event, done)
        at_once, held, begun = await done
        assert (at_once, held) == ([True, False, True], 1)
        assert [await task for task in begun] == ["short", "long", "short"]

    tasks: list[asyncio.Task[Any]] = []
    asyncio.run(main())
    assert said == ["short 3 ", "long 3 ", "short 3 "]


def test_a_task_that_is_cancelled_before_its_first_step_never_begins() -> None:
    begun: list[str] = []

    async def first() -> None:
        for task in tasks:
            if task is not asyncio.current_task():
                task.cancel()

    async def second() -> None:
        begun.append("second")

    def event(done: asyncio.Future[Any]) -> None:
        nonlocal tasks
        turn = Turn()
        _, tasks = started(turn, first, second)
        turn.go(0.0)
        done.set_result(None)

    tasks: list[asyncio.Task[Any]] = []
    in_a_loop(event)
    assert not begun
    assert tasks[1].cancelled()


def test_an_exit_in_a_first_step_leaves_the_others_to_the_loop() -> None:
    async def leaving() -> None:
        raise SystemExit(3)

    async def staying() -> str:
        return "stayed"

    def event(done: asyncio.Future[Any]) -> None:
        turn = Turn()
        _, tasks = started(turn, leaving, staying, staying)
        with pytest.raises(SystemExit):
            turn.go(0.0)
        while len(turn):
            turn.go(0.0)
        done.set_result(asyncio.gather(*tasks[1:]))

    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        loop.call_soon(event, done)
        return await (await done)

    assert asyncio.run(main()) == ["stayed", "stayed"]
