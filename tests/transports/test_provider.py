"""What a provider has besides streams: signals, waiters, and a main coroutine to run."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest
from support.providers import provider

from highper_transports.asyncio import AsyncioTransport

__all__ = ["provider"]


def test_signals_are_watched_only_when_asked(provider: type[AsyncioTransport]) -> None:
    async def main(transport: Any) -> None:
        before = signal.getsignal(signal.SIGUSR1)
        heard = asyncio.Event()
        transport.watch_signal(signal.SIGUSR1, heard.set)
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.wait_for(heard.wait(), 5)
        transport.watch_signal(signal.SIGUSR1, None)
        assert signal.getsignal(signal.SIGUSR1) == before

    provider.run(main)


def test_a_waiter_carries_an_error_and_wakes_once(provider: type[AsyncioTransport]) -> None:
    async def main(transport: Any) -> None:
        waiter = transport.waiter()
        waiter.wake(KeyError("why"))
        waiter.wake()
        with pytest.raises(KeyError):
            await waiter
        waiter = transport.waiter()
        waiter.wake()
        await waiter

    provider.run(main)


def test_running_returns_what_main_returns(provider: type[AsyncioTransport]) -> None:
    async def main(transport: Any) -> str:
        assert provider.unavailable() is None
        return str(transport.name)

    assert provider.run(main) == provider.name
