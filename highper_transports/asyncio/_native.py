"""Entering a context, and a way into a weak set: what `_native.pyx` is where it is not built."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from typing import Any
from weakref import WeakSet

__all__ = ["registration", "run_in"]


def run_in(context: Context, step: Callable[[], Any]) -> Any:
    """Call `step` in `context`.

    Raises:
        RuntimeError: the context has been entered already.
    """
    return context.run(step)


def registration(members: WeakSet[Any]) -> Callable[[Any], None]:
    """Return `members.add`."""
    return members.add
