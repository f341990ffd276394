# cython: annotation_typing=False
"""Starting a task so that its first step runs at once.

Most handlers end in their first step. Run inside the read event, that step costs neither a pass of the loop nor a
second write. It is a real task from its first instruction: `current_task`, timeouts, task groups, cancellation and
anyio find what they look for.

From Python 3.12 on the task itself can do it. On 3.11 the constructor of a task asks its loop to call its first step
soon; a loop class that Highper made (`EagerLoop`) keeps that one request back and the step is run at once, in the
task's own context. In both cases only where no task is current, because a step within a step would let one task's
code run in the middle of another's.
"""

from __future__ import annotations

import sys
from asyncio import AbstractEventLoop, BaseEventLoop, Task, current_task, tasks
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any
from weakref import WeakSet

from ._native import get_debug, new_task, registration, run_in

__all__ = ["EagerLoop", "TaskStarter"]

NATIVE = sys.version_info >= (3, 12)


class EagerLoop:
    """A loop class of ours, whose `call_soon` keeps the first step of a task back while `TaskStarter` makes it.

    Named after the loop class that it extends.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        made: Any = cls
        if made.get_debug is BaseEventLoop.get_debug:  # every new task asks
            made.get_debug = get_debug
        if not NATIVE:
            made.call_soon = _keeping_back(made.call_soon)
            _register_quicker()


class _FirstStep:
    """The first step of the task that is being made."""

    __slots__ = ("context", "step")

    def __init__(self) -> None:
        self.context: Context | None = None  # of that task; None while none is made
        self.step: Callable[..., object] | None = None


_first = _FirstStep()


def _keeping_back(call_soon: Callable[..., Any]) -> Callable[..., Any]:
    def call_soon_or_keep(
        self: AbstractEventLoop, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        if context is not None and context is _first.context:
            _first.step = callback
            return None
        # the constructor allocates, so a collection may run in it, and finalisers that call soon
        return call_soon(self, callback, *args, context=context)

    return call_soon_or_keep


def _register_quicker() -> None:
    """Let asyncio's set of all tasks take a new one by compiled code, which on 3.11 costs a fifth of making a task.

    Later versions register only tasks that outlive their first step.
    """
    every: Any = getattr(tasks, "_all_tasks", None)
    if type(every) is WeakSet and "add" not in vars(every):
        vars(every)["add"] = registration(every)


class TaskStarter:
    """Starts tasks on one loop, and holds those that run: a loop itself refers to them weakly.

    Args:
        loop: where they run.
    """

    __slots__ = ("_forget", "_loop", "_running", "_keeps", "_options", "_eager_options")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._running: set[Task[Any]] = set()
        self._forget = self._running.discard  # one for all tasks, and no copy of a context for each
        self._keeps = isinstance(loop, EagerLoop) and not NATIVE
        self._options: dict[str, Any] = {"loop": loop}
        self._eager_options: dict[str, Any] = {"loop": loop, "eager_start": True}

    def __len__(self) -> int:
        return len(self._running)

    def start(self, coroutine: Coroutine[Any, Any, Any], context: Context, name: str | None = None) -> Task[Any]:
        """Return a new task whose first step has run, where that is possible."""
        if self._keeps:
            task = self._start_kept(coroutine, context, name)
        elif NATIVE and current_task(self._loop) is None:
            task = new_task(Task, coroutine, self._eager_options, context, name)
        else:
            task = new_task(Task, coroutine, self._options, context, name)
        if not task.done():
            self._running.add(task)
            task.add_done_callback(self._forget, context=context)
        return task

    def _start_kept(self, coroutine: Coroutine[Any, Any, Any], context: Context, name: str | None) -> Task[Any]:
        _first.context = context
        try:
            task = new_task(Task, coroutine, self._options, context, name)
        finally:
            _first.context = None
        step, _first.step = _first.step, None
        if step is None:  # another thread made a task meanwhile; this one was scheduled
            return task
        try:
            run_in(context, step)
        except RuntimeError:  # a task is current: its step refuses to begin, and nothing of it has run
            self._loop.call_soon(step, context=context)
        return task
