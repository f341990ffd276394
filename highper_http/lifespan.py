"""What an application does once before its first request and once after its last.

Hooks run in the order they were registered, an asynchronous context manager is entered after the start-up hooks and
left before the shutdown hooks, which run in reverse. All of it runs in one task, so task groups and cancel scopes may
span it; contextvars set at start-up are seen by every handler.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias, TypeVar

from anyio import CancelScope

from .errors import StartupFailed

__all__ = ["Hook", "Lifespan"]

Hook: TypeAlias = Callable[[], Any]
HookT = TypeVar("HookT", bound=Hook)

logger = logging.getLogger("highper.error")


class Lifespan:
    """The start-up and shutdown of one application.

    Args:
        manager: returns the asynchronous context manager to live in; called at start-up with `app` if it takes an
            argument.
    """

    def __init__(self, manager: Callable[..., AbstractAsyncContextManager[Any]] | None = None) -> None:
        self.manager = manager
        self._startup: list[Hook] = []
        self._shutdown: list[Hook] = []
        self._drain: list[Hook] = []

    def on_startup(self, hook: HookT) -> HookT:
        """Register a function, plain or coroutine, to run before the first request. Usable as a decorator."""
        self._startup.append(hook)
        return hook

    def on_shutdown(self, hook: HookT) -> HookT:
        """Register a function, plain or coroutine, to run after the last request. Usable as a decorator."""
        self._shutdown.append(hook)
        return hook

    def on_drain(self, hook: HookT) -> HookT:
        """Register a function, plain or coroutine, to run when the server begins to stop. Usable as a decorator."""
        self._drain.append(hook)
        return hook

    def running(self, app: Any) -> RunningLifespan:
        """Return the asynchronous context manager that starts the application up and shuts it down."""
        return RunningLifespan(app, self.manager, list(self._startup), list(self._shutdown), list(self._drain))


class RunningLifespan:
    """One run of a lifespan: several servers may each live through their own."""

    def __init__(
        self,
        app: Any,
        manager: Callable[..., AbstractAsyncContextManager[Any]] | None,
        startup: list[Hook],
        shutdown: list[Hook],
        drain: list[Hook],
    ) -> None:
        self._app = app
        self._manager = manager
        self._startup = startup
        self._shutdown = shutdown
        self._drain = drain
        self._entered: AbstractAsyncContextManager[Any] | None = None

    async def __aenter__(self) -> None:
        """Start up.

        Raises:
            StartupFailed: a hook or the context manager raised; what had been started was shut down.
        """
        try:
            for hook in self._startup:
                await _call(hook)
            if self._manager is not None:
                takes_app = bool(inspect.signature(self._manager).parameters)
                manager = self._manager(self._app) if takes_app else self._manager()
                await manager.__aenter__()
                self._entered = manager
        except BaseException as error:
            with CancelScope(shield=True):
                await self._shut_down()
            if not isinstance(error, Exception):  # cancelled, or the process shall end
                raise
            raise StartupFailed(f"the application failed to start: {type(error).__name__}: {error}") from error

    async def __aexit__(self, *error: object) -> None:
        """Shut down. A hook that raises is logged, and the others run."""
        if self._entered is not None:
            try:
                await self._entered.__aexit__(None, None, None)
            except Exception:
                logger.exception("the application's lifespan failed to end")
        await self._shut_down()

    async def drain(self) -> None:
        """Tell the application that its server begins to stop. A hook that raises is logged, and the others run."""
        await _call_each(self._drain, "drain")

    async def _shut_down(self) -> None:
        await _call_each(reversed(self._shutdown), "shutdown")


async def _call_each(hooks: Iterable[Hook], kind: str) -> None:
    for hook in hooks:
        try:
            await _call(hook)
        except Exception:
            logger.exception("a %s hook failed", kind)


async def _call(hook: Hook) -> None:
    result = hook()
    if inspect.isawaitable(result):
        await result
