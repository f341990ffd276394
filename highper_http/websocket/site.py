"""The WebSockets of one server: their tasks, and how all of them end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from highper_core.state import Role

from ..errors import WebSocketClosed
from .listened import ListenedSocket
from .speaker import Speaker

if TYPE_CHECKING:
    from highper_core.engines import Engine
    from highper_core.limits import Limits
    from highper_core.permessage_deflate import Deflate
    from highper_core.websocket import WebSocket as Core
    from highper_transports.interfaces import ITransport
    from highper_transports.service import Service

    from .handshake import Handshake
    from .settings import SocketSettings

__all__ = ["Site"]

logger = logging.getLogger("highper.error")

GOING_AWAY = 1001
INTERNAL_ERROR = 1011


class Site:
    """What the WebSockets of one server have in common.

    Args:
        transport: where their tasks run.
        engine: of their cores.
        limits: bounds, where a route has none of its own.

    Attributes:
        tasks: those of handlers that run, by their sockets.
        leaving: close code of those that we end: 1001 where the server stops, 1012 where another one replaces it.
        parting: the server stops; who is opened now is closed at once.
    """

    __slots__ = ("leaving", "limits", "parting", "tasks", "transport", "_engine")

    def __init__(self, transport: ITransport, engine: Engine, limits: Limits) -> None:
        self.transport = transport
        self.limits = limits
        self.leaving = GOING_AWAY
        self.parting = False
        self.tasks: dict[Speaker, Any] = {}
        self._engine = engine

    def websocket(self, role: Role, settings: SocketSettings, deflate: Deflate | None) -> Core:
        """Return a fresh core."""
        return self._engine.websocket(role, settings.limits or self.limits, deflate)

    def start(self, handshake: Handshake, handler: Callable[[Any], Any], variables: Context, name: str) -> None:
        """Run a handler for the socket of `handshake` in a task of its own."""
        socket = handshake.socket
        self.tasks[socket] = None
        task = self.transport.spawn(self._run(handshake, handler, name), variables, name)
        if socket in self.tasks:
            self.tasks[socket] = task

    async def _run(self, handshake: Handshake, handler: Callable[[Any], Any], name: str) -> None:
        socket = handshake.socket
        try:
            await handler(socket)
        except WebSocketClosed:
            pass  # that is how most end
        except Exception as error:
            if not handshake.ended(error):
                logger.error("%s failed", name, exc_info=error)
                socket._shut(INTERNAL_ERROR)
        except BaseException as error:
            if not handshake.ended(error):
                socket._shut(self.leaving)
            raise
        finally:
            del self.tasks[socket]
            handshake.ended(None)
            if not isinstance(socket, ListenedSocket):
                socket._shut(1000)

    def cancel(self, socket: Speaker) -> None:
        """Cancel the handler of a socket, if it runs."""
        task = self.tasks.get(socket)
        if task is not None:
            task.cancel()

    def cancel_all(self) -> None:
        """Cancel every handler that runs."""
        for socket in list(self.tasks):
            self.cancel(socket)

    def part(self, service: Service, code: int) -> None:
        """Close every socket among the streams of `service` with `code`, and those to come."""
        self.parting = True
        self.leaving = code
        for stream in list(service.awake):
            if isinstance(stream.receiver, Speaker):
                stream.receiver._shut(code)
