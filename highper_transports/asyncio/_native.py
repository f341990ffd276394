"""What is asked of a loop for every task: what `_native.pyx` is where it is not built."""

from __future__ import annotations

from asyncio import BaseEventLoop, Task
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any
from weakref import WeakSet

__all__ = ["get_debug", "new_task", "registration", "run_in"]

get_debug = BaseEventLoop.get_debug


def new_task(
    kind: type[Task[Any]], coroutine: Coroutine[Any, Any, Any], options: dict[str, Any], context: Context, name: Any
) -> Task[Any]:
    """Return `kind(coroutine, **options, context=context, name=name)`."""
    return kind(coroutine, **{**options, "context": context, "name": name})


def run_in(context: Context, step: Callable[[], Any]) -> Any:
    """Call `step` in `context`.

    Raises:
        RuntimeError: the context has been entered already.
    """
    return context.run(step)


def registration(members: WeakSet[Any]) -> Callable[[Any], None]:
    """Return `members.add`."""
    return members.add
