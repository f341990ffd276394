"""What is asked of a loop for every task: what `_native.pyx` is where it is not built."""

from __future__ import annotations

from asyncio import Task
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any
from weakref import WeakSet

__all__ = ["FirstSteps", "Registration", "TaskMaker", "answer_tasks", "run_in"]


class TaskMaker:
    """Makes tasks: `kind(coroutine, **options, context=context, name=name)`."""

    __slots__ = ("_kind", "_options")

    def __init__(self, kind: type[Task[Any]], late: bool, **options: Any) -> None:
        self._kind = kind
        self._options = options

    def make(self, coroutine: Coroutine[Any, Any, Any], context: Context, name: Any) -> Task[Any]:
        """Return a new task."""
        return self._kind(coroutine, **self._options, context=context, name=name)


def run_in(context: Context, step: Callable[[], Any]) -> Any:
    """Call `step` in `context`.

    Raises:
        RuntimeError: the context has been entered already.
    """
    return context.run(step)


class FirstSteps:
    """What is asked of one loop while tasks are made, and the first steps that wait.

    Attributes:
        context: of the task that is being made; None while none is.
        step: its first step, which `call_soon` has kept back, or None.
        keeping: first steps wait until tasks have been made for others.
        kept: those that wait: starter, task, context and step of each.
    """

    __slots__ = ("context", "kept", "keeping", "step")

    def __init__(self) -> None:
        self.context: Context | None = None
        self.step: Callable[..., object] | None = None
        self.keeping = False
        self.kept: list[Any] = []


def answer_tasks(loop: Any) -> FirstSteps | None:
    """Have a loop keep the first step of a task back while it is made.

    Returns:
        where that is kept; None for a loop that has no attributes of its own.
    """
    if not hasattr(loop, "__dict__"):
        return None
    call_soon = loop.call_soon
    known: FirstSteps | None = getattr(call_soon, "first", None)
    if known is not None:
        return known
    first = FirstSteps()

    def call_soon_or_keep(callback: Callable[..., object], *args: Any, context: Context | None = None) -> Any:
        if context is not None and context is first.context:
            first.step = callback
            return None
        return call_soon(callback, *args, context=context)

    call_soon_or_keep.first = first  # type: ignore[attr-defined]
    loop.call_soon = call_soon_or_keep
    return first


class Registration:
    """Does what `members.add` does."""

    __slots__ = ("_members",)

    def __init__(self, members: WeakSet[Any]) -> None:
        self._members = members

    def add_made(self, member: Any) -> None:
        """Add a member."""
        type(self._members).add(self._members, member)

    def add(self, member: Any) -> None:
        """It was added when it was made."""

    def add_stepping(self, starter: Any) -> None:
        """What is being stepped is among them already."""
