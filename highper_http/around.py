# cython: annotation_typing=False
"""A coroutine around another, without a frame of its own.

A task steps it like any other coroutine; it steps the inner one, and does what is to be done when that has ended. So
it is to an `async def` what a callback is to a call: cheaper to make and to enter, and nothing between two tracebacks.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from types import CoroutineType, FrameType
from typing import Any, Final

from ._native import Step, resume

__all__ = ["Around"]

NEW: Final = 0
WAITING: Final = 1
RUNNING: Final = 2  # and behind the last step


class Around(Step):
    """A coroutine that steps another. A subclass says which, and what comes of its end.

    Attributes:
        inner: the coroutine that is stepped; None before the first step and after the last.
        is_over: it has ended.
    """

    __slots__ = ("inner", "is_over", "_state")

    def __init__(self) -> None:
        self._be_new()

    def _be_new(self) -> None:
        self.outcome = None
        self.inner: Any = None
        self.is_over = False
        self._state = NEW

    # What a subclass adds

    def _begin(self) -> Any:
        """Return what to await first, or `self` where there is nothing to await."""
        raise NotImplementedError

    def _returned(self, outcome: Any) -> Any:
        """The inner coroutine returned; return what to await next, or None at the end."""
        return None

    def _raised(self, error: BaseException) -> None:
        """Something raised, or this coroutine is being closed: raise what shall leave it, or return to end it."""
        raise error

    def _end(self) -> None:
        """All went well. What is raised here leaves the coroutine."""

    # A coroutine, as the interpreter and asyncio know it

    def __await__(self) -> Generator[Any, Any, None]:
        return self

    def __iter__(self) -> Around:
        return self

    def __next__(self) -> Any:
        waits = self._advance(None)
        if waits is self:
            raise StopIteration
        return waits

    def send(self, value: object) -> Any:
        """Run to the next wait. Coroutines that wait for the loop are sent nothing, so `value` is dropped."""
        waits = self._advance(None)
        if waits is self:
            raise StopIteration
        return waits

    def throw(self, kind: Any, value: Any = None, trace: Any = None) -> Any:
        """Raise in the inner coroutine where it waits, and run to the next wait."""
        error = kind if isinstance(kind, BaseException) else value if isinstance(value, BaseException) else kind(value)
        waits = self._advance(error)
        if waits is self:
            raise StopIteration
        return waits

    def close(self) -> None:
        """End the inner coroutine where it waits."""
        if self.is_over:
            return
        try:
            waits = self._advance(GeneratorExit())
        except GeneratorExit:
            return
        if waits is not self:
            raise RuntimeError("coroutine ignored GeneratorExit")

    def _advance(self, error: BaseException | None) -> Any:
        """Take one step; return what is waited for, or `self` at the end."""
        if self._state >= RUNNING:
            raise RuntimeError("this coroutine is running, or over")
        begun = self._state == WAITING
        self._state = RUNNING
        try:
            if error is not None and not begun:
                raise error
            inner = self.inner if begun else self._begin()
            if not begun:
                inner = None if inner is self else _coroutine(inner)
            while inner is not None:
                self.inner = inner
                waits = resume(inner, self) if error is None else _thrown(inner, error, self)
                if waits is not self:
                    self._state = WAITING
                    return waits
                error = None
                outcome, self.outcome = self.outcome, None
                inner = self._returned(outcome)
                if inner is not None:
                    inner = _coroutine(inner)
        except BaseException as raised:
            self.inner = None
            self.is_over = True
            self._raised(raised)
            return self
        self.inner = None
        self.is_over = True
        self._end()
        return self

    # As debuggers and `Task.get_stack` look at it: in place of the inner one

    @property
    def cr_running(self) -> bool:
        """Whether it is being stepped."""
        return self._state == RUNNING and not self.is_over

    @property
    def cr_await(self) -> Any:
        """What it awaits."""
        return self.inner

    @property
    def cr_frame(self) -> FrameType | None:
        """The inner coroutine's frame."""
        return getattr(self.inner, "cr_frame", None)

    @property
    def cr_code(self) -> Any:
        """The inner coroutine's code."""
        return getattr(self.inner, "cr_code", None)


def _coroutine(awaitable: Any) -> Any:
    """Return what can be stepped and awaits `awaitable`."""
    if type(awaitable) is CoroutineType or isinstance(awaitable, Around):
        return awaitable
    return _awaited(awaitable)


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


def _thrown(inner: Coroutine[Any, Any, Any], error: BaseException, step: Step) -> Any:
    try:
        return inner.throw(error)
    except StopIteration as stop:
        step.outcome = stop.value
        return step
