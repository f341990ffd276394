# cython: annotation_typing=False
"""The wait of one task for one event, without a future.

To a task it is one all the same: asyncio's protocol of futures is what it takes to be awaited. But who ends it may
have the task go on inside that very call, where no task is current. What waits for a peer's bytes then goes on inside
the read event that brings them, as a new task begins inside it.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, CancelledError, InvalidStateError
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, Final

from zope.interface import classImplements

from highper_core._spares import keep_spares

from ..interfaces import IWaiter

__all__ = ["AsyncioWaiter"]

PENDING: Final = 0
WOKEN: Final = 1
CANCELLED: Final = 2


class AsyncioWaiter:
    """A one-shot event one task waits for.

    Args:
        loop: of that task.
    """

    __slots__ = ("_asyncio_future_blocking", "_callback", "_context", "_error", "_loop", "_state")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._asyncio_future_blocking = False  # so asyncio tells a future from what it must not wait for
        self._loop = loop
        self._callback: Callable[[Any], object] | None = None
        self._context: Context | None = None
        self._error: Any = None
        self._state = PENDING

    # Who ends the wait

    def wake(self, error: BaseException | None = None) -> None:
        """End the wait, with `error` raised in the waiting task."""
        if self._state == PENDING:
            self._state = WOKEN
            self._error = error
            self._go_on_soon()

    def wake_now(self) -> None:
        """End the wait, and let the task go on inside this call where no task is current."""
        if self._state != PENDING:
            return
        self._state = WOKEN
        callback, context = self._callback, self._context
        if callback is None or context is None:
            return
        try:
            context.run(callback, self)
        except RuntimeError:  # a task is current: its step refuses to begin, and nothing of it has run
            self._go_on_soon()
            return
        self._callback = self._context = None

    def _go_on_soon(self) -> None:
        callback, context = self._callback, self._context
        self._callback = self._context = None
        if callback is not None:
            self._loop.call_soon(callback, self, context=context)

    # The task, as it awaits

    def __await__(self) -> Generator[Any, None, None]:
        return self

    def __iter__(self) -> AsyncioWaiter:
        return self

    def __next__(self) -> AsyncioWaiter:
        if self._state == PENDING:
            self._asyncio_future_blocking = True
            return self
        self.result()
        raise StopIteration

    def send(self, value: object) -> AsyncioWaiter:
        """Wait, or end the wait."""
        return self.__next__()

    def throw(self, kind: Any, value: Any = None, trace: Any = None) -> None:
        """End the wait with an error."""
        if isinstance(kind, BaseException):
            raise kind
        raise value if isinstance(value, BaseException) else kind()

    def close(self) -> None:
        """End the wait."""

    # The task, as it treats a future

    def get_loop(self) -> AbstractEventLoop:
        """Return the loop of the task."""
        return self._loop

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Context | None = None) -> None:
        """Call back in `context` when the wait has ended."""
        self._callback = callback
        self._context = context
        if self._state != PENDING:
            self._go_on_soon()

    def remove_done_callback(self, callback: Callable[[Any], object]) -> int:
        """Do not call back; return how many will not be called that would have been."""
        if self._callback is None or self._callback != callback:
            return 0
        self._callback = None
        return 1

    def cancel(self, msg: Any = None) -> bool:
        """End the wait with a cancellation; False where it has ended."""
        if self._state != PENDING:
            return False
        self._state = CANCELLED
        self._error = msg
        self._go_on_soon()
        return True

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._state == CANCELLED

    def done(self) -> bool:
        """Whether the wait has ended."""
        return self._state != PENDING

    def result(self) -> None:
        """Raise what ended the wait, if that was an error.

        Raises:
            InvalidStateError: it has not ended.
            CancelledError: it was cancelled.
        """
        if self._state == CANCELLED:
            raise CancelledError() if self._error is None else CancelledError(self._error)
        if self._state == PENDING:
            raise InvalidStateError("the wait has not ended")
        if self._error is not None:
            raise self._error


classImplements(AsyncioWaiter, IWaiter)
keep_spares(AsyncioWaiter)
