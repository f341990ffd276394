"""Virtual time: it passes where nothing else can happen, and never early."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import anyio.to_thread
import pytest
from transports.memory_log import run

from highper_transports.memory import Deadlock, MemoryTransport


class TestClock:
    """The clock stands still while anything runs, and jumps when nothing can."""

    def test_an_hour_costs_nothing(self) -> None:
        async def main(transport: MemoryTransport) -> float:
            before = transport.now()
            await asyncio.sleep(3600)
            return transport.now() - before

        started = time.perf_counter()
        assert run(main) == 3600
        assert time.perf_counter() - started < 5

    def test_timeouts_obey_it(self) -> None:
        async def main(transport: MemoryTransport) -> float:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(30):
                    await asyncio.Event().wait()
            await transport.advance(5)
            return transport.now()

        assert run(main) == 1035

    @pytest.mark.parametrize("work", [asyncio.to_thread, anyio.to_thread.run_sync], ids=["asyncio", "anyio"])
    def test_it_stands_still_while_a_worker_is_busy(self, work: Callable[..., Coroutine[Any, Any, Any]]) -> None:
        async def main(transport: MemoryTransport) -> None:
            timer = asyncio.create_task(asyncio.sleep(1))
            before = transport.now()
            for _ in range(3):
                await work(time.sleep, 0.02)
            assert transport.now() == before
            await timer
            assert transport.now() == before + 1

        run(main)

    def test_it_stands_still_while_a_cancelled_worker_runs_on(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            go, finished = threading.Event(), []

            def work() -> None:
                go.wait()
                finished.append(transport.now())

            task = asyncio.create_task(asyncio.to_thread(work))
            await asyncio.sleep(0)
            task.cancel()
            threading.Timer(0.05, go.set).start()
            await asyncio.sleep(9)
            assert finished == [1000.0]

        run(main)

    def test_real_descriptors_and_threads_are_heard(self) -> None:
        async def main(transport: MemoryTransport) -> bytes:
            near, far = socket.socketpair()
            with near, far:
                near.setblocking(False)
                threading.Timer(0.05, far.send, [b"x"]).start()
                return await asyncio.get_running_loop().sock_recv(near, 1)

        assert run(main) == b"x"

    def test_signals_are_heard(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            heard = transport.waiter()
            transport.watch_signal(10, heard.wake)
            os.kill(os.getpid(), 10)
            await heard
            transport.watch_signal(10, None)

        run(main)

    def test_waiting_for_what_cannot_happen_is_an_error(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            await asyncio.to_thread(int)
            await asyncio.Event().wait()

        with pytest.raises(Deadlock):
            run(main)

    def test_skipped_time_makes_timers_due_together(self) -> None:
        async def main(transport: MemoryTransport) -> list[int]:
            loop: Any = transport.loop
            order: list[int] = []
            for seconds in (3, 1, 2):
                loop.call_later(seconds, order.append, seconds)
            loop.skip(10)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert transport.now() == 1010
            return order

        assert run(main) == [1, 2, 3]

    def test_timers_can_be_reordered_but_never_early(self) -> None:
        async def main(transport: MemoryTransport) -> list[int]:
            loop: Any = transport.loop
            loop.reorder_timers(1.0, Random(1))
            order: list[int] = []
            for number in range(20):
                loop.call_later(number / 100, order.append, number)
            await asyncio.sleep(3)
            return order

        order = run(main)
        assert sorted(order) == list(range(20))
        assert order != list(range(20))
