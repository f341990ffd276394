"""Steps of coroutines, contexts, and the clock: what `_native.pyx` is where it is not built."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextvars import Context
from time import time
from typing import Any, Final

__all__ = ["Step", "call_in", "clock_second", "copy_of", "is_text", "resume", "run_in"]

_CONTROLS: Final = bytes(code for code in [*range(0x20), 0x7F] if code != 0x09)


class Step:
    """Something that can be run in a context.

    Attributes:
        outcome: what the coroutine it stands for returned last.
    """

    __slots__ = ("outcome",)

    def __init__(self) -> None:
        self.outcome: Any = None

    def go(self) -> Any:
        """Run."""
        raise NotImplementedError


def resume(coroutine: Coroutine[Any, Any, Any], step: Step) -> Any:
    """Run `coroutine` to its next wait and return what it waits for; `step`, with its outcome, when it has returned."""
    try:
        return coroutine.send(None)
    except StopIteration as stop:
        step.outcome = stop.value
        return step


def run_in(variables: Context, step: Step) -> Any:
    """Run `step` in the context `variables`."""
    return variables.run(step.go)


def call_in(variables: Context, function: Callable[[Any, Any], Any], first: Any, second: Any) -> Any:
    """Call `function(first, second)` in the context `variables`."""
    return variables.run(function, first, second)


def copy_of(variables: Context) -> Context:
    """Return a copy of a context."""
    return variables.copy()


def is_text(octets: bytes) -> bool:
    """Return whether a field may hold these octets: no controls but HTAB. Source: RFC 9110 section 5.5."""
    return len(octets.translate(None, _CONTROLS)) == len(octets)


def clock_second() -> int:
    """Return the second that the system's clock shows."""
    return int(time())
