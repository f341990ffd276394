# cython: annotation_typing=False
"""Starting a task so that its first step runs at once.

Most handlers end in their first step. Run inside the read event, that step costs neither a pass of the loop nor a
second write. It is a real task from its first instruction: `current_task`, timeouts, task groups, cancellation and
anyio find what they look for.

From Python 3.12 on the task itself can do it. On 3.11 the constructor of a task asks its loop to call its first step
soon; that one request is kept back and the step is run at once, in the task's own context. In both cases only where no
task is current, because a step within a step would let one task's code run in the middle of another's.
"""

from __future__ import annotations

import sys
from asyncio import AbstractEventLoop, Task, current_task, tasks
from collections.abc import Coroutine
from contextvars import Context
from typing import Any
from weakref import WeakSet

from ._native import FirstStep, Registration, TaskMaker, answer_tasks, run_in

__all__ = ["TaskStarter"]

NATIVE = sys.version_info >= (3, 12)


def _registration() -> Registration:
    """Let asyncio's set of all tasks take a new one by compiled code: one whose first step is kept, if it outlives it.

    Later versions of Python do so themselves.
    """
    every: WeakSet[Any] = tasks._all_tasks  # type: ignore[attr-defined]
    if "add" not in vars(every):
        vars(every)["add"] = Registration(every).add_made
    return vars(every)["add"].__self__  # type: ignore[no-any-return]


class TaskStarter:
    """Starts tasks on one loop, and holds those that run: a loop itself refers to them weakly.

    Args:
        loop: where they run.

    Attributes:
        stepping: the task whose first step is run, or None.
    """

    __slots__ = (
        "stepping",
        "_eager",
        "_first",
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
        self._first: FirstStep | None = answer_tasks(loop, not NATIVE)
        self._registration: Registration | None = None if NATIVE else _registration()
        if self._first is not None and self._registration is not None:
            self._registration.add_stepping(self)
        self._maker = TaskMaker(Task, self._first is not None, loop=loop)

    def __len__(self) -> int:
        return len(self._running)

    def start(self, coroutine: Coroutine[Any, Any, Any], context: Context, name: str | None = None) -> Task[Any]:
        """Return a new task whose first step has run, where that is possible."""
        if self._first is not None:
            task = self._start_kept(coroutine, context, name)
        elif self._eager is not None and current_task(self._loop) is None:
            task = self._eager.make(coroutine, context, name)
        else:
            task = self._maker.make(coroutine, context, name)
        if not task.done():
            self._running.add(task)
            task.add_done_callback(self._forget, context=context)
            if self._first is not None and self._registration is not None:
                self._registration.add(task)
        return task

    def _start_kept(self, coroutine: Coroutine[Any, Any, Any], context: Context, name: str | None) -> Task[Any]:
        first = self._first
        assert first is not None
        first.context = context
        try:
            task = self._maker.make(coroutine, context, name)
        finally:
            first.context = None
        step, first.step = first.step, None
        if step is not None:  # else a loop's own `call_soon` does not ask ours, and the task was scheduled
            outer, self.stepping = self.stepping, task
            try:
                run_in(context, step)
            except RuntimeError:  # a task is current: its step refuses to begin, and nothing of it has run
                self._loop.call_soon(step, context=context)
            finally:
                self.stepping = outer
        return task
