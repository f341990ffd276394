"""The WebSockets of one server: their tasks, and how all of them end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from highper_core.frames import CloseCode
from highper_core.state import Role

from ..around import Around
from ..errors import WebSocketClosed
from .speaker import Speaker

if TYPE_CHECKING:
    from highper_core.engines import Engine
    from highper_core.limits import Limits
    from highper_core.permessage_deflate import Deflate
    from highper_core.websocket import WebSocket as Core
    from highper_transports.interfaces import ITransport
    from highper_transports.service import Service

    from .settings import SocketSettings

__all__ = ["Site"]

logger = logging.getLogger("highper.error")


class Running(Around):
    """One handler's run: what a task steps, for as long as the socket lives. A frame more would be its largest part."""

    __slots__ = ("_handler", "_name", "_site", "_socket")

    def __init__(self, site: Site, socket: Speaker, handler: Callable[[Any], Any], name: str) -> None:
        Around.__init__(self)
        self._site = site
        self._socket = socket
        self._handler = handler
        self._name = name

    def _begin(self) -> Any:
        return self._handler(self._socket)

    def _raised(self, error: BaseException) -> None:
        socket = self._socket
        try:
            if isinstance(error, WebSocketClosed) or socket.undecided(error):
                pass  # the one is how most end, the other is the request's to answer
            elif isinstance(error, Exception):
                logger.error("%s failed", self._name, exc_info=error)
                socket._shut(CloseCode.INTERNAL_ERROR.value)
            else:
                socket._shut(self._site.leaving)
            if not isinstance(error, Exception):
                raise error
        finally:
            self._end()

    def _end(self) -> None:
        self._socket.done()
        self._site.tasks.pop(self._socket, None)


class Site:
    """What the WebSockets of one server have in common.

    Args:
        transport: where their tasks run.
        engine: of their cores.
        limits: bounds, where a route has none of its own.

    Attributes:
        tasks: those of handlers that run for a socket which no stream leads to: it is not open yet, or no more.
        leaving: close code of those that we end: 1001 where the server stops, 1012 where another one replaces it.
        parting: the server stops; who is opened now is closed at once.
        variables: the contextvars that start-up left.
    """

    __slots__ = ("leaving", "limits", "parting", "tasks", "transport", "variables", "_engine")

    def __init__(self, transport: ITransport, engine: Engine, limits: Limits) -> None:
        self.transport = transport
        self.limits = limits
        self.leaving = CloseCode.GOING_AWAY.value
        self.parting = False
        self.tasks: dict[Speaker, Any] = {}
        self.variables = copy_context()
        self._engine = engine

    def websocket(self, role: Role, settings: SocketSettings, deflate: Deflate | None) -> Core:
        """Return a fresh core."""
        return self._engine.websocket(role, settings.limits or self.limits, deflate)

    def start(self, socket: Speaker, handler: Callable[[Any], Any], variables: Context, name: str) -> None:
        """Run a handler for its socket in a task of its own."""
        self.tasks[socket] = None
        task = self.transport.spawn(Running(self, socket, handler, name), variables, name)
        if socket in self.tasks:
            self.tasks[socket] = task

    def cancel(self, socket: Speaker) -> None:
        """Cancel the handler of a socket that is not open, if it runs."""
        task = self.tasks.get(socket)
        if task is not None:
            task.cancel()

    def cancel_all(self, service: Service) -> None:
        """Cancel every handler that runs."""
        for task in [*self.tasks.values(), *[socket.task for socket in _sockets(service)]]:
            if task is not None:
                task.cancel()

    def part(self, service: Service, code: int) -> None:
        """Close every socket among the streams of `service` with `code`, and those to come."""
        self.parting = True
        self.leaving = code
        for socket in _sockets(service):
            socket._shut(code)


def _sockets(service: Service) -> list[Speaker]:
    """Return those that are open, roused where they dozed."""
    service.transport.rest.rouse(service)
    return [stream.receiver for stream in service.awake if isinstance(stream.receiver, Speaker)]
