"""WebSockets without a coroutine: callbacks that are told what comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..endpoint import is_coroutine_function
from ..errors import SetupError

if TYPE_CHECKING:
    from .listened import ListenedSocket

__all__ = ["WebSocketListener"]


class WebSocketListener:
    """Told what comes at every WebSocket of a route. No task exists while nothing does.

    One listener serves all sockets of its route; what belongs to one socket is kept in `socket.locals`. All callbacks
    but `on_connect` are plain functions, called inside the read event and in the socket's own context; they send with
    `socket.try_send`, and must not block. Where one raises, its socket is closed with 1011.

    Attributes:
        keep_request: whether the opening request can be asked for behind `on_open`; else it takes no memory.
    """

    keep_request = False

    async def on_connect(self, socket: ListenedSocket) -> None:
        """Answer the opening handshake, by `accept` or `deny`. Runs in a task, inside socket middleware."""
        await socket.accept()

    def on_open(self, socket: ListenedSocket) -> None:
        """Messages can be sent; none has come."""

    def on_message(self, socket: ListenedSocket, message: str | bytes) -> None:
        """A message came: a str where it is text, else bytes."""

    def on_text(self, socket: ListenedSocket, text: str) -> None:
        """A text message came."""
        self.on_message(socket, text)

    def on_bytes(self, socket: ListenedSocket, data: bytes) -> None:
        """A binary message came."""
        self.on_message(socket, data)

    def on_ping(self, socket: ListenedSocket, data: bytes) -> None:
        """A Ping came, and was answered."""

    def on_pong(self, socket: ListenedSocket, data: bytes) -> None:
        """A Pong came."""

    def on_writable(self, socket: ListenedSocket) -> None:
        """The peer takes again what is sent, and nothing waits."""

    def on_close(self, socket: ListenedSocket, code: int, reason: str) -> None:
        """No message will come any more, and none can be sent. Once for each socket that was opened."""


def inspect_listener(listener: Any) -> WebSocketListener:
    """Return the listener that serves a route, made of its class where that is given.

    Raises:
        SetupError: a callback that cannot be called so.
    """
    made = listener() if isinstance(listener, type) else listener
    assert isinstance(made, WebSocketListener)
    for name in vars(WebSocketListener):
        if name.startswith("on_") and is_coroutine_function(getattr(made, name)) is not (name == "on_connect"):
            kind = "a coroutine function" if name == "on_connect" else "a plain function"
            raise SetupError(f"{name} of a WebSocket listener is {kind}: {type(made).__qualname__}")
    return made
