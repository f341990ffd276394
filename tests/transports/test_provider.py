"""What a provider of sockets has besides streams: signals, waiters, a main coroutine to run, a loop to join."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import weakref
from typing import Any

import pytest
from support.providers import provider, start

from highper_transports.asyncio import AsyncioTransport
from highper_transports.joining import join

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


def test_who_joins_a_loop_shares_its_provider_while_that_is_used(provider: Any) -> None:
    async def main(transport: Any) -> None:
        joined = join(provider.name)
        assert type(joined) is provider
        assert join(provider.name) is joined
        gone = weakref.ref(joined)
        del joined
        gc.collect()
        assert gone() is None
        assert type(join(provider.name)) is provider

    start(provider, main)
