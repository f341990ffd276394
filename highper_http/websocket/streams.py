"""Messages piece by piece, both ways (RFC 6455 section 5.4)."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from highper_core.frames import CloseCode

if TYPE_CHECKING:
    from .socket import WebSocket
    from .speaker import Speaker

__all__ = ["IncomingStream", "OutgoingStream"]


class OutgoingStream:
    """One message that is sent piece by piece; `async with` binds what sends a piece.

    A message cannot be taken back, so where the block raises, or its end is not waited for, the socket is closed with
    1011.
    """

    __slots__ = ("_socket", "_text")

    def __init__(self, socket: Speaker, text: bool) -> None:
        self._socket = socket
        self._text = text

    async def __aenter__(self) -> OutgoingStream:
        """Begin, behind what waits.

        Raises:
            WebSocketClosed: no message can be sent any more.
        """
        socket = self._socket
        try:
            await socket._begin_stream()
        except BaseException:
            socket.relieved()  # our turn may have come
            raise
        return self

    async def __call__(self, piece: str | bytes | bytearray | memoryview) -> None:
        """Send a piece, and wait while the peer takes less than is sent.

        Raises:
            WebSocketClosed: no message can be sent any more.
        """
        if isinstance(piece, str) is not self._text:
            raise TypeError(
                f"a piece of this message is {'str' if self._text else 'bytes'}, not {type(piece).__name__}"
            )
        if piece:
            await self._socket._send_piece(piece, False)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the message."""
        socket = self._socket
        try:
            if error is None and not socket.shut:
                await socket._send_piece("" if self._text else b"", True)
        except BaseException as failure:
            error = failure
            raise
        finally:
            if error is not None:
                socket._shut(CloseCode.INTERNAL_ERROR.value)
            socket._end_stream()


class IncomingStream:
    """One message that is received piece by piece: an asynchronous iterator of str or bytes.

    Where the pieces are cut means nothing. What is not taken of the message is dropped when the next is asked for.
    """

    __slots__ = ("_ended", "_socket")

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._ended = False

    def __aiter__(self) -> IncomingStream:
        """Iterate over the rest of it."""
        return self

    async def __anext__(self) -> str | bytes:
        """Return the next piece.

        Raises:
            WebSocketClosed: the socket ended first.
            StreamBusy: another task is receiving.
        """
        if self._ended:
            raise StopAsyncIteration
        piece, self._ended = await self._socket._receive_piece()
        if self._ended and not piece:
            raise StopAsyncIteration
        return piece  # type: ignore[no-any-return]
