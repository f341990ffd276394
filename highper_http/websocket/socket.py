# cython: annotation_typing=False
"""The WebSocket a coroutine holds: it sends, and receives by awaiting.

What comes waits here until it is asked for, within bounds; then the peer is not read from any more. One task at a time
receives, any number sends.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

import msgpack  # type: ignore[import-untyped]
import orjson

from highper_core._spares import keep_spares
from highper_core.frames import CloseCode
from highper_transports.errors import StreamBusy

from ..errors import WebSocketClosed
from .speaker import Speaker
from .streams import IncomingStream

if TYPE_CHECKING:
    from highper_transports.interfaces import IWaiter

    from .opened import Opened
    from .settings import SocketSettings

__all__ = ["Receive", "WebSocket"]

MESSAGE: Final = 0
TEXT: Final = 1
BYTES: Final = 2
JSON: Final = 3
MSGPACK: Final = 4
PIECE: Final = 5
NEXT: Final = 6  # the next message of an iteration

PIECE_SIZE: Final = 128  # what a piece counts besides its content: a peer that sends crumbs fills memory too


class WebSocket(Speaker):
    """One WebSocket, of a server's handler or of a client.

    Iterating over it yields its messages, str or bytes, until it is closed; where that was not clean the iteration ends
    with `WebSocketClosed`.
    """

    __slots__ = ("_in_pieces", "_inside", "_more", "_next", "_queued", "_receiver")

    def __init__(self, settings: SocketSettings, opened: Opened | None = None) -> None:
        Speaker.__init__(self, settings, opened)
        self._next: Any = None  # what has come first, of
        self._more: list[Any] | None = None  # what has come
        self._queued = 0
        self._in_pieces = False  # the message that comes is shown in pieces
        self._inside = False  # a message whose first pieces were taken
        self._receiver: IWaiter | None = None

    # Receiving

    def receive(self) -> Receive:
        """Wait for the next message: a str where it is text, else bytes.

        Raises:
            WebSocketClosed: there is none, and will be none.
            StreamBusy: another task is receiving.
        """
        return _receive(self, MESSAGE)

    def receive_text(self) -> Receive:
        """Wait for the next message, which must be text. A peer that sends another is told so by a Close with 1003."""
        return _receive(self, TEXT)

    def receive_bytes(self) -> Receive:
        """Wait for the next message, which must be binary. As `receive_text`."""
        return _receive(self, BYTES)

    def receive_json(self) -> Receive:
        """Wait for the next message, and return what it says as JSON. What is none is answered by a Close with 1007."""
        return _receive(self, JSON)

    def receive_msgpack(self) -> Receive:
        """Wait for the next message, which must be binary, and return what it says as MessagePack."""
        return _receive(self, MSGPACK)

    def receive_stream(self) -> IncomingStream:
        """Return the next message as an iterator of its pieces, as they come."""
        return IncomingStream(self)

    @property
    def unread(self) -> int:
        """Messages that came and were not taken; of one that is received in pieces, those."""
        return 0 if self._next is None else 1 if self._more is None else 1 + len(self._more)

    def __aiter__(self) -> WebSocket:
        """Iterate over messages."""
        return self

    def __anext__(self) -> Receive:
        """Wait for the next message, or the end."""
        return _receive(self, NEXT)

    # Its handler

    def opened(self) -> None:
        """Be who knows the handler's task, while the stream leads here."""
        opened = self._opened
        if opened is not None and opened.site is not None:
            opened.task = opened.site.tasks.pop(self, None)
            opened.pack()

    def gone(self) -> None:
        """Let the server know that the handler runs on, and end the waits for the end."""
        opened = self._opened
        if opened is not None and opened.site is not None and opened.task is not None:
            opened.site.tasks[self] = opened.task
        Speaker.gone(self)

    def done(self) -> None:
        """Close it behind its handler."""
        Speaker.done(self)
        self._shut(CloseCode.NORMAL.value)

    # What comes, from the driver

    def arrived(self, content: Any, finished: bool) -> None:
        """Let a message, or a piece, wait; stop reading where enough does."""
        if self.shut and not self.over:
            return  # we have closed: nobody will ask for it
        core = self.core
        if self._in_pieces or not core.gather:
            content = (content, finished)
            self._in_pieces = not finished
            core.gather = finished
        self._queued += _size(content)
        if self._next is None:
            self._next = content
        else:
            if self._more is None:
                self._more = []
            self._more.append(content)
            limits = core.limits
            if self._queued >= limits.websocket_receive_queue or (
                len(self._more) >= limits.websocket_received - 1 and type(content) is not tuple
            ):
                self.full = True
        if self._receiver is not None:
            self._receiver.wake_now()
        self.deferred = finished and self._next is not None

    def ending(self, code: int, reason: str) -> None:
        """Let who receives know."""
        Speaker.ending(self, code, reason)
        if self._receiver is not None:
            self._receiver.wake()

    def _take(self) -> Any:
        """Return what came first; read on where that made room."""
        content = self._next
        more = self._more
        self._queued = max(0, self._queued - _size(content))
        if more:
            self._next = more.pop(0)
            if not more:
                self._more = None
        else:
            self._next = None
            self._queued = 0
        if self.full:
            limits = self.core.limits
            left = 0 if self._more is None else len(self._more)
            if self._queued <= limits.websocket_receive_queue // 2 and left < limits.websocket_received // 2:
                self.make_room()
        return content

    async def _receive_piece(self) -> tuple[Any, bool]:
        """Return the next piece of a message, and whether it ends with it."""
        if self._next is None and self.core is not None:
            self.core.gather = False
        piece = await _receive(self, PIECE)
        if type(piece) is tuple:
            self._inside = not piece[1]
            return piece
        return piece, True


class Receive:
    """The wait for a message: a coroutine that returns it."""

    __slots__ = ("_kind", "_parts", "_socket", "_wait")

    _kind: int
    _parts: list[Any] | None  # of a message that comes in pieces nobody has asked for
    _socket: WebSocket
    _wait: Any

    def __await__(self) -> Generator[Any, Any, Any]:
        return self

    def __iter__(self) -> Receive:
        return self

    def __next__(self) -> Any:
        return self._step(None)

    def send(self, value: object) -> Any:
        """Run to the next wait."""
        return self._step(None)

    def throw(self, kind: Any, value: Any = None, trace: Any = None) -> Any:
        """Raise where it waits."""
        error = kind if isinstance(kind, BaseException) else value if isinstance(value, BaseException) else kind()
        return self._step(error)

    def close(self) -> None:
        """End the wait."""
        if self._wait is not None:
            self._wait.close()
            self._leave()

    def _step(self, error: BaseException | None) -> Any:
        socket = self._socket
        wait = self._wait
        if wait is not None:
            waits = None
            if error is None and socket._next is None and not socket.shut:
                waits = next(wait, None)
            if waits is not None:  # woken by somebody else than us
                return waits
            self._leave()
        if error is not None:
            raise error
        while socket._next is not None:
            content = socket._take()
            if type(content) is tuple and self._kind != PIECE:
                content = self._joined(content)
            if content is not None:
                raise StopIteration(self._judged(content))
        if socket.shut or socket.core is None:
            self._end()
        if socket._receiver is not None:
            raise StreamBusy("another task is receiving")
        waiter = socket._receiver = socket.transport.waiter()
        socket._turns = 0
        self._wait = wait = waiter.__await__()
        return next(wait)

    def _leave(self) -> None:
        self._wait = None
        self._socket._receiver = None

    def _joined(self, piece: tuple[Any, bool]) -> Any:
        """Take a piece where a message was asked for; return the message with the last, unless it had been begun."""
        content, finished = piece
        socket = self._socket
        if socket._inside:
            socket._inside = not finished
            return None
        if self._parts is None:
            self._parts = []
        self._parts.append(content)
        if not finished:
            socket.core.gather = True
            return None
        parts, self._parts = self._parts, None
        return content[:0].join(parts)

    def _judged(self, content: Any) -> Any:
        kind = self._kind
        if kind in (MESSAGE, NEXT, PIECE):
            return content
        socket = self._socket
        if kind == JSON:
            try:
                return orjson.loads(content)
            except orjson.JSONDecodeError:
                socket._shut(CloseCode.INVALID_DATA.value, "not JSON")
                raise WebSocketClosed(CloseCode.INVALID_DATA.value, "not JSON") from None
        if (type(content) is str) is not (kind == TEXT):
            socket._shut(CloseCode.UNSUPPORTED_DATA.value, "text expected" if kind == TEXT else "bytes expected")
            raise WebSocketClosed(socket.close_code, socket.close_reason)
        if kind == MSGPACK:
            try:
                return msgpack.unpackb(content)
            except Exception:
                socket._shut(CloseCode.INVALID_DATA.value, "not MessagePack")
                raise WebSocketClosed(CloseCode.INVALID_DATA.value, "not MessagePack") from None
        return content

    def _end(self) -> None:
        socket = self._socket
        if socket.core is None and not socket.shut:
            raise RuntimeError("the WebSocket is not open yet: await accept() first")
        closed = WebSocketClosed(socket.close_code or CloseCode.ABNORMAL.value, socket.close_reason)
        if self._kind == NEXT and closed.is_clean:
            raise StopAsyncIteration
        raise closed


def _receive(socket: WebSocket, kind: int) -> Receive:
    wait = Receive.__new__(Receive)
    wait._kind = kind
    wait._parts = None
    wait._socket = socket
    wait._wait = None
    return wait


def _size(content: Any) -> int:
    if type(content) is tuple:
        return PIECE_SIZE + len(content[0])
    return len(content)


keep_spares(Receive)
