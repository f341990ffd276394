"""The application: a router with settings and a lifespan."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from highper_core.limits import Limits

from .lifespan import HookT, Lifespan, RunningLifespan
from .routing import Router

__all__ = ["App"]


class App(Router):
    """A router that can be served.

    Args:
        lifespan: returns an asynchronous context manager the application lives in; takes the app, or nothing.
        limits: bounds of its connections and requests.
        debug: developer mode: error answers carry tracebacks. Never in production.
    """

    def __init__(
        self,
        *,
        lifespan: Callable[..., AbstractAsyncContextManager[Any]] | None = None,
        limits: Limits | None = None,
        debug: bool = False,
    ) -> None:
        super().__init__()
        self.limits = limits if limits is not None else Limits()
        self.debug = debug
        self._lifespan = Lifespan(lifespan)

    def on_startup(self, hook: HookT) -> HookT:
        """Run `hook`, plain or coroutine function, before the first request. Usable as a decorator."""
        return self._lifespan.on_startup(hook)

    def on_drain(self, hook: HookT) -> HookT:
        """Run `hook`, plain or coroutine function, when the server begins to stop: nobody is accepted any more, and
        WebSockets are still open. Usable as a decorator.
        """
        return self._lifespan.on_drain(hook)

    def on_shutdown(self, hook: HookT) -> HookT:
        """Run `hook`, plain or coroutine function, after the last request. Usable as a decorator."""
        return self._lifespan.on_shutdown(hook)

    def running(self) -> RunningLifespan:
        """Return the asynchronous context manager that starts the application up and shuts it down."""
        return self._lifespan.running(self)

    def listen(self, host: str = "127.0.0.1", port: int = 8000, *, workers: int | None = None, **options: Any) -> None:
        """Serve until SIGINT or SIGTERM, in a loop of its own. Blocking.

        Args:
            host, port: where to listen; port 0 takes a free one.
            workers: processes, as for `Server.listen`; None for this one.
            options: as for `Server`.
        """
        from .server import Server

        Server(self, host=host, port=port, **options).listen(workers=workers)

    async def serve(self, host: str = "127.0.0.1", port: int = 8000, **options: Any) -> None:
        """Serve in the running loop until cancelled. Installs no signal handler.

        Args:
            host, port: where to listen; port 0 takes a free one.
            options: as for `Server`.
        """
        from .server import Server

        await Server(self, host=host, port=port, **options).serve()
