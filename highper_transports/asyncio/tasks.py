# cython: annotation_typing=False
"""Starting a task so that its first step runs at once.

Most handlers end in their first step. Run inside the read event, that step costs neither a pass of the loop nor a
second write. It is a real task from its first instruction: `current_task`, timeouts, task groups, cancellation and
anyio find what they look for.

From Python 3.12 on the task itself can do it. On 3.11, and in a turn on all versions, it is done otherwise: the
constructor of a task asks its loop to call its first step soon; that one request is kept back, and the step is run in
the task's own context at once, or when tasks have been made for all in the turn. In both cases only where no task is
current, because a step within a step would let one task's code run in the middle of another's.
"""

from __future__ import annotations

import sys
from asyncio import AbstractEventLoop, Task, current_task, tasks
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any
from weakref import WeakSet

from ._native import FirstSteps, Registration, TaskMaker, answer_tasks, run_in

__all__ = ["TaskStarter", "leave_kept", "run_kept"]

NATIVE = sys.version_info >= (3, 12)


def _registration() -> Registration | None:
    """Let asyncio's set of all tasks take a new one by compiled code: one whose first step is kept, if it outlives it.

    From 3.14 on they are in no set.
    """
    if sys.version_info >= (3, 14):
        return None
    every: WeakSet[Any] = getattr(tasks, "_scheduled_tasks" if NATIVE else "_all_tasks")
    if "add" not in vars(every):
        vars(every)["add"] = Registration(every).add_made
    return vars(every)["add"].__self__  # type: ignore[no-any-return]


class TaskStarter:
    """Starts tasks on one loop, whose `call_soon` it wraps, and holds those that run: a loop refers to them weakly.

    Args:
        loop: where they run.

    Attributes:
        first: where first steps are kept, which all starters of a loop share; None where the loop does not let us.
        stepping: the task whose first step is run, or None.
    """

    __slots__ = (
        "first",
        "stepping",
        "_eager",
        "_forget",
        "_loop",
        "_maker",
        "_registration",
        "_running",
        "__weakref__",
    )

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.stepping: Task[Any] | None = None
        self._loop = loop
        self._running: set[Task[Any]] = set()
        self._forget = self._running.discard  # one for all tasks, and no copy of a context for each
        self._eager = TaskMaker(Task, False, loop=loop, eager_start=True) if NATIVE else None
        self.first: FirstSteps | None = answer_tasks(loop)
        registration = _registration()
        self._registration = None if self.first is None else registration
        if self._registration is not None:
            self._registration.add_stepping(self)
        self._maker = TaskMaker(Task, self._registration is not None, loop=loop)

    def __len__(self) -> int:
        return len(self._running)

    def start(self, coroutine: Coroutine[Any, Any, Any], context: Context, name: str | None = None) -> Task[Any]:
        """Return a new task whose first step has run, where that is possible."""
        first = self.first
        if first is not None and (first.keeping or self._eager is None):
            return self._start_kept(first, coroutine, context, name)
        if self._eager is not None and current_task(self._loop) is None:
            task = self._eager.make(coroutine, context, name)
            if not task.done():
                self._hold(task, context)
        else:
            task = self._maker.make(coroutine, context, name)
            self._register(task, context)
        return task

    def _start_kept(
        self, first: FirstSteps, coroutine: Coroutine[Any, Any, Any], context: Context, name: str | None
    ) -> Task[Any]:
        first.context = context
        try:
            task = self._maker.make(coroutine, context, name)
        finally:
            first.context = None
        step, first.step = first.step, None
        if step is None:  # a loop's own `call_soon` does not ask ours, and the task was scheduled
            self._register(task, context)
        elif first.keeping:
            first.kept.append((self, task, context, step))
        else:
            self._step(task, context, step)
        return task

    def _step(self, task: Task[Any], context: Context, step: Callable[[], object]) -> None:
        """Run the first step of a task."""
        outer, self.stepping = self.stepping, task
        try:
            run_in(context, step)
        except RuntimeError:  # a task is current: its step refuses to begin, and nothing of it has run
            self._loop.call_soon(step, context=context)
        finally:
            self.stepping = outer
        if not task.done():
            self._register(task, context)

    def _register(self, task: Task[Any], context: Context) -> None:
        if self._registration is not None:
            self._registration.add(task)
        self._hold(task, context)

    def _hold(self, task: Task[Any], context: Context) -> None:
        self._running.add(task)
        task.add_done_callback(self._forget, context=context)


def run_kept(first: FirstSteps) -> None:
    """Run the first steps that were kept while tasks were made for others."""
    kept, first.kept = first.kept, []
    done = 0
    try:
        for starter, task, context, step in kept:
            done += 1
            starter._step(task, context, step)
    except BaseException:
        first.kept = kept[done:]
        raise


def leave_kept(first: FirstSteps) -> None:
    """Have the loop run what was kept: an exit leaves the turn."""
    kept, first.kept = first.kept, []
    for starter, task, context, step in kept:
        starter._register(task, context)
        starter._loop.call_soon(step, context=context)
