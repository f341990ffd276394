"""The whole path in memory: bytes of a request in, driver, App, Router, handler, bytes of the answer out.

Everything a server does for a request but the system calls and the loop's own turn: a stream that writes to nobody is
driven from a callback of a real loop, so every `async def` handler runs in a real task that starts eagerly.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any

from suite import Cases, run

from highper_core import HttpConnection, Role
from highper_core.limits import Limits
from highper_core.pool import ContextPool
from highper_http import App, Request, Response, Router
from highper_http.dispatch import Dispatcher
from highper_http.middleware import compose
from highper_http.server import PREWARMED
from highper_transports.asyncio import AsyncioTransport
from highper_transports.driver import Driver
from highper_transports.stream import Stream

__all__ = ["CASES"]

PIPELINED = 16


class NullStream(Stream):
    """Takes every answer and shows it to nobody."""

    unwritten = 0

    def write(self, data: Any) -> None:
        """Drop bytes."""


def _get(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n".encode()


def _app() -> App:
    app = App()

    @app.get("/")
    async def plain(request: Request) -> str:
        return "Hello, World!"

    @app.get("/inline", inline=True)
    def inline(request: Request) -> str:
        return "Hello, World!"

    async def layer(request: Request, response: Response, following: Callable[[], Awaitable[None]]) -> None:
        await following()

    api = Router()
    for _ in range(3):
        api.use(layer)

    @api.get("/:id")
    async def user(request: Request, response: Response) -> None:
        response.json({"id": request.param("id"), "name": "Ada"})

    app.mount("/users", api)
    return app


def _path_timer(target: str, count: int = 1) -> Callable[[int], float]:
    data = _get(target) * count

    def timed(loops: int) -> float:
        async def main(transport: Any) -> float:
            limits = Limits()
            contexts = ContextPool(lambda: Request(limits), Response)
            contexts.prewarm(PREWARMED)
            dispatcher = Dispatcher(
                _app().compile(compose),
                transport,
                contexts,
                copy_context(),
                access_log=False,
            )
            stream = NullStream(transport)
            driver = Driver(stream, HttpConnection(Role.SERVER, limits=limits, engine="fast"), dispatcher)
            ended: asyncio.Future[float] = transport.loop.create_future()

            def event() -> None:
                received, now = driver.received, transport.now()
                started = time.perf_counter()
                for _ in range(loops):
                    received(data, now)
                ended.set_result(time.perf_counter() - started)

            transport.call_soon(event)
            return await ended

        elapsed: float = AsyncioTransport.run(main)
        return elapsed

    return timed


CASES: Cases = {
    "path, async def": _path_timer("/"),
    "path, inline def": _path_timer("/inline"),
    f"path, async def, {PIPELINED} pipelined": _path_timer("/", PIPELINED),
    "path, JSON, a parameter, 3 middlewares": _path_timer("/users/1729"),
}

if __name__ == "__main__":
    run(CASES)
