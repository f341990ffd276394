"""A client's WebSocket without `async`: the loop runs while a call waits, and stands still in between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from anyio import fail_after

from ..headers import Headers
from ..websocket.answered import ClientWebSocket
from ..websocket.connecting import Connecting

__all__ = ["BlockingWebSocket"]

T = TypeVar("T")


class BlockingWebSocket:
    """A WebSocket for tests that are plain functions. Made by `BlockingTestClient.websocket`.

    Iterating over it yields its messages until it is closed. What a call raises is what the same call of a `WebSocket`
    raises, and TimeoutError where it has waited for too long.

    Args:
        run: runs a coroutine in the client's loop, and returns its result.
        connecting: opens it.
        patience: seconds of virtual time that a call may wait, for a socket that is kept alive by Pings waits for ever.

    Attributes:
        socket: the WebSocket beneath, while and after it was open.
    """

    socket: ClientWebSocket

    def __init__(self, run: Callable[[Coroutine[Any, Any, Any]], Any], connecting: Connecting, patience: float) -> None:
        self._run = run
        self._connecting = connecting
        self._patience = patience

    def __enter__(self) -> BlockingWebSocket:
        """Open it.

        Raises:
            ConnectFailed, WebSocketDenied, RemoteProtocolError: as `highper_http.connect`.
        """
        self.socket = self._run(self._connecting.__aenter__())
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self._run(self._connecting.__aexit__(None, None, None))

    def _await(self, awaitable: Awaitable[T]) -> T:
        async def bounded() -> T:
            with fail_after(self._patience):
                return await awaitable

        result: T = self._run(bounded())
        return result

    # What it is

    @property
    def subprotocol(self) -> str | None:
        """The one agreed on, or None."""
        return self.socket.subprotocol

    @property
    def answer_headers(self) -> Headers:
        """Fields of the server's 101."""
        return self.socket.answer_headers

    @property
    def closed(self) -> bool:
        """Whether no message can be sent any more."""
        return self.socket.closed

    @property
    def close_code(self) -> int:
        """0 until a Close came or went; 1006 where the stream ended without."""
        return self.socket.close_code

    @property
    def close_reason(self) -> str:
        """Of that Close."""
        return self.socket.close_reason

    # Messages

    def send_text(self, text: str) -> None:
        """Send a text message."""
        self._await(self.socket.send_text(text))

    def send_bytes(self, data: bytes | bytearray | memoryview) -> None:
        """Send a binary message."""
        self._await(self.socket.send_bytes(data))

    def send_json(self, value: Any) -> None:
        """Send a text message that is JSON."""
        self._await(self.socket.send_json(value))

    def send_msgpack(self, value: Any) -> None:
        """Send a binary message that is MessagePack."""
        self._await(self.socket.send_msgpack(value))

    def receive(self) -> str | bytes:
        """Return the next message: a str where it is text, else bytes."""
        message: str | bytes = self._await(self.socket.receive())
        return message

    def receive_text(self) -> str:
        """Return the next message, which must be text."""
        text: str = self._await(self.socket.receive_text())
        return text

    def receive_bytes(self) -> bytes:
        """Return the next message, which must be binary."""
        data: bytes = self._await(self.socket.receive_bytes())
        return data

    def receive_json(self) -> Any:
        """Return what the next message says as JSON."""
        return self._await(self.socket.receive_json())

    def receive_msgpack(self) -> Any:
        """Return what the next message, which must be binary, says as MessagePack."""
        return self._await(self.socket.receive_msgpack())

    def __iter__(self) -> BlockingWebSocket:
        return self

    def __next__(self) -> str | bytes:
        """Return the next message; end where it was closed cleanly."""
        try:
            message: str | bytes = self._await(self.socket.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None
        return message

    # Ping and end

    def ping(self) -> float:
        """Send a Ping and wait for its Pong; return the seconds of virtual time that took."""
        return self._await(self.socket.ping())

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it, and wait until the server has answered."""
        self._await(self.socket.close(code, reason))

    def wait_closed(self) -> None:
        """Wait until the stream is gone."""
        self._await(self.socket.wait_closed())
