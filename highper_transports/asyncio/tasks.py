# cython: annotation_typing=False
"""Starting a task so that its first step runs at once.

Most handlers end in their first step. Run inside the read event, that step costs neither a pass of the loop nor a
second write. It is a real task from its first instruction: `current_task`, timeouts, task groups, cancellation and
anyio find what they look for.

From Python 3.12 on the task itself can do it. On 3.11 the constructor of a task asks its loop to call its first step
soon; on a loop that Highper made (`EagerLoop`) that one request is caught and the step is run at once, in the task's
own context. In both cases only where no task is current, because a step within a step would let one task's code run
in the middle of another's.
"""

from __future__ import annotations

import sys
from asyncio import AbstractEventLoop, Task, current_task
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

__all__ = ["EagerLoop", "TaskStarter"]

NATIVE = sys.version_info >= (3, 12)


class EagerLoop:
    """Marks a loop class of ours, whose instances let `call_soon` be replaced for the length of a constructor."""


class TaskStarter:
    """Starts tasks on one loop, and holds those that run: a loop itself refers to them weakly.

    Args:
        loop: where they run.
    """

    __slots__ = ("_loop", "_running", "_catches", "_caught", "_context")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._running: set[Task[Any]] = set()
        self._catches = isinstance(loop, EagerLoop) and not NATIVE
        self._caught: tuple[Any, ...] | None = None
        self._context: Context | None = None  # of the task that is being made

    def __len__(self) -> int:
        return len(self._running)

    def start(self, coroutine: Coroutine[Any, Any, Any], context: Context) -> Task[Any]:
        """Return a new task whose first step has run, where that is possible."""
        if self._catches:
            task = self._start_caught(coroutine, context)
        elif NATIVE and current_task(self._loop) is None:
            task = Task(coroutine, loop=self._loop, context=context, eager_start=True)  # type: ignore[call-arg,unused-ignore]
        else:
            task = Task(coroutine, loop=self._loop, context=context)
        if not task.done():
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return task

    def _start_caught(self, coroutine: Coroutine[Any, Any, Any], context: Context) -> Task[Any]:
        loop: Any = self._loop
        self._context = context
        loop.call_soon = self._catch
        try:
            task = Task(coroutine, loop=loop, context=context)
        finally:
            del loop.call_soon
            self._context = None
        caught, self._caught = self._caught, None
        assert caught is not None, "a new task asks for its first step"
        try:
            context.run(*caught)
        except RuntimeError:  # a task is current: its step refuses to begin, and nothing of it has run
            loop.call_soon(*caught, context=context)
        return task

    def _catch(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Any:
        if context is not None and context is self._context:
            self._caught = (callback, *args)
            return None
        # the constructor allocates, so a collection may run in it, and finalisers that call soon
        return type(self._loop).call_soon(self._loop, callback, *args, context=context)
