"""Worker threads: bounded, also by those whose task was cancelled."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any

import anyio
import pytest
from anyio import to_thread

from highper_http.threads import run_in_thread


def run(main: Any, *args: Any) -> Any:
    return anyio.run(main, *args)


def test_results_errors_and_contextvars_come_back() -> None:
    """A call in a thread is like a call."""
    variable: ContextVar[str] = ContextVar("variable")

    async def main() -> None:
        variable.set("seen")
        assert await run_in_thread(lambda: variable.get()) == "seen"
        assert await run_in_thread(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await run_in_thread(lambda: 1 / 0)
        assert to_thread.current_default_thread_limiter().borrowed_tokens == 0

    run(main)


def test_a_cancelled_wait_leaves_its_place_taken_until_the_thread_ends() -> None:
    """Tasks that are cancelled over and over make no more threads than the limiter allows."""
    began: list[int] = []
    gate = threading.Event()

    def blocked() -> None:
        began.append(1)
        gate.wait(30)

    async def main() -> None:
        import asyncio

        limiter = to_thread.current_default_thread_limiter()
        limiter.total_tokens = 3
        for _ in range(10):
            tasks = [asyncio.create_task(run_in_thread(blocked)) for _ in range(10)]
            await asyncio.sleep(0)
            while len(began) < 3:
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert limiter.borrowed_tokens == 3
        gate.set()
        while limiter.borrowed_tokens:
            await asyncio.sleep(0)
        await run_in_thread(blocked)

    run(main)
    assert len(began) == 4


def test_a_call_that_has_not_begun_is_withdrawn() -> None:
    """Cancelled before its thread took it, a function is never called and its place is free."""
    called: list[int] = []

    async def main() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await run_in_thread(called.append, 1)
        assert to_thread.current_default_thread_limiter().borrowed_tokens == 0

    run(main)
    assert called == []
