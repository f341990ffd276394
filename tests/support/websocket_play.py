"""The fixture that serves an application with WebSockets, over every provider and with either engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support.providers import EVERY
from support.sockets import Served, served

from highper_http import App

__all__ = ["Main", "Play", "play"]

Main = Callable[[Served], Coroutine[Any, Any, None]]
Play = Callable[..., None]


@pytest.fixture(params=EVERY, ids=lambda provider: provider.name)
def play(request: pytest.FixtureRequest, engine_name: str) -> Play:
    """Serve an application while a coroutine function talks to it."""

    def start(app: App, main: Main, **options: Any) -> None:
        async def bounded(transport: Any) -> None:
            async with asyncio.timeout(30), served(transport, app, engine_name, **options) as site:
                await main(site)

        request.param.run(bounded)

    return start
