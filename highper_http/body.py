"""Content, coming in and going out.

In: a request's content is read once, either whole (`read_content`, bounded) or as a `ContentReader`, piece by piece as
it arrives; what is not asked for is not received, so a slow reader holds its peer up and not our memory. Asking is
what answers `Expect: 100-continue`.

Out: a `ContentSender` is what `async with response.stream() as send` binds. The head leaves with the first piece;
each `await send(...)` returns when the stream has room for the next.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from highper_core.events import END_OF_MESSAGE, Data

from .errors import ContentTooLarge, ResponseError

if TYPE_CHECKING:
    from highper_transports.exchange import Exchange

    from .response import Response

__all__ = ["ContentReader", "ContentSender", "read_content"]

PIECES = 256  # objects held for content in crumbs, each of which costs more than its bytes


class ContentReader:
    """The content of one request as an asynchronous iterator of bytes.

    Args:
        exchange: where it comes from.
        limit: bytes it may have in all, or None.

    Raises:
        ContentTooLarge: on the piece that passes `limit`.
        RemoteProtocolError: the peer broke the framing.
    """

    __slots__ = ("_ended", "_exchange", "_left")

    def __init__(self, exchange: Exchange, limit: int | None) -> None:
        self._exchange = exchange
        self._left: int | None = limit
        self._ended = False

    def __aiter__(self) -> ContentReader:
        return self

    async def __anext__(self) -> bytes:
        while not self._ended:
            event: Any = self._exchange.receive_nowait()
            if event is None:
                event = await self._exchange.receive()
            if not isinstance(event, Data):
                self._ended = True
            elif event.data:
                if self._left is not None:
                    self._left -= len(event.data)
                    if self._left < 0:
                        raise ContentTooLarge()
                return event.data  # type: ignore[return-value]  # engines yield bytes
        raise StopAsyncIteration


async def read_content(exchange: Exchange, length: int, limit: int) -> bytes:
    """Return the whole content of a request.

    Args:
        exchange: where it comes from.
        length: what its head announced; -1 when unknown.
        limit: bytes it may have.

    Raises:
        ContentTooLarge: more than `limit` was announced, or came.
        RemoteProtocolError: the peer broke the framing.

    Cost: none but the pieces themselves when it comes in one or is large, else one copy.
    """
    if length == 0:
        return b""
    if length > limit:
        raise ContentTooLarge()
    if exchange.receives_directly(length):
        return await exchange.receive_content()
    blocks: list[bytes] = []
    pieces: list[bytes] = []
    async for piece in ContentReader(exchange, limit):
        pieces.append(piece)
        if len(pieces) == PIECES:
            blocks.append(b"".join(pieces))
            pieces.clear()
    if blocks:
        pieces = [*blocks, *pieces]
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class ContentSender:
    """Sends the content of one response in pieces. Made by `Response.stream`, used as an async context manager."""

    __slots__ = ("_open", "_response")

    def __init__(self, response: Response) -> None:
        self._response = response
        self._open = False

    async def __aenter__(self) -> ContentSender:
        if self._open:
            raise ResponseError("this stream has been entered already")
        self._open = True
        return self

    async def __call__(self, data: bytes | bytearray | memoryview | str) -> None:
        """Send one piece and wait until there is room for the next. Text is sent as UTF-8; an empty piece, not at all.

        Raises:
            ResponseError: outside of its `async with`.
            LocalProtocolError: more than the content-length that was set.
        """
        if not self._open:
            raise ResponseError("content is sent inside `async with response.stream()`")
        if isinstance(data, str):
            data = data.encode()
        exchange = self._response._send_head()
        if data:
            exchange.send(Data(data))
        await exchange.drain()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        if error is None:
            self._response._end_stream(END_OF_MESSAGE)
