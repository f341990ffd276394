"""The providers that a test runs over: those that can run here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from highper_transports import registry
from highper_transports.memory import Peer

__all__ = ["EVERY", "REAL", "REAL_NAMES", "Main", "dial", "provider", "run", "start"]

REAL_NAMES = [name for name in ("asyncio", "uvloop", "epoll") if registry.why_not(name) is None]
REAL: list[Any] = [registry.transport(name) for name in REAL_NAMES]  # over real sockets
EVERY: list[Any] = [registry.transport("memory"), *REAL]
Main = Callable[[Any], Coroutine[Any, Any, None]]


@pytest.fixture(params=REAL, ids=lambda provider: provider.name)
def provider(request: pytest.FixtureRequest) -> Any:
    """A provider of real sockets: the test runs once with each."""
    return request.param


@pytest.fixture(params=EVERY, ids=lambda provider: provider.name)
def run(request: pytest.FixtureRequest) -> Callable[[Main], None]:
    """Run `main(transport)`: once over every provider."""
    return partial(start, request.param)


def start(provider: Any, main: Main) -> None:
    """Run `main(transport)` over `provider`, for 20 seconds at most."""

    async def bounded(transport: Any) -> None:
        async with asyncio.timeout(20):
            await main(transport)

    provider.run(bounded)


async def dial(transport: Any, address: Any) -> Peer:
    """Open a stream to play the other side of by hand, on any provider."""
    made: list[Peer] = []
    await transport.connect(address, lambda stream: made.append(Peer(stream)))
    return made[0]
