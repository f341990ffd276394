# cython: annotation_typing=False
"""The half of a WebSocket that speaks and ends: what a handler's socket and a listener's socket share.

A message is framed when it is handed over. Where the peer takes less than is sent, messages wait here, under the policy
of the route, and not in the stream; what waits is bounded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Hashable
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import msgpack  # type: ignore[import-untyped]
import orjson

from highper_core.events import BytesFragment, Ping, TextFragment
from highper_core.frames import CloseCode

from ..errors import WebSocketClosed
from .backlog import COMPRESSED, FRAMED, PLAIN, STREAM, Backlog, Waiting
from .facts import SocketFacts
from .settings import Policy, SocketSettings
from .streams import OutgoingStream
from .waits import DONE, Ending, breathe, framed

if TYPE_CHECKING:
    from highper_core.websocket import WebSocket as Core
    from highper_transports.exchange import Exchange

    from .opened import Opened

__all__ = ["SocketState", "Speaker"]

BURST: Final = 16 * 1024  # bytes that are framed before we see whether the peer takes them
TURNS: Final = 64  # messages, after which a sender that never had to wait lets others have the loop
BLOCK: Final = int(Policy.BLOCK)


class SocketState(IntEnum):
    """Where a WebSocket is in its life."""

    CONNECTING = 0  # the opening handshake is not answered
    OPEN = 1
    CLOSING = 2  # no message can be sent any more
    CLOSED = 3  # the stream is gone


class Speaker(SocketFacts):
    """What sends, and ends.

    Args:
        settings: of its route, or of the client.
        opened: its opening handshake.

    Attributes:
        close_code: 0 until a Close came or went; 1006 where the stream ended without.
        close_reason: of that Close.
    """

    __slots__ = ("close_code", "close_reason", "_backlog", "_turns")

    def __init__(self, settings: SocketSettings, opened: Opened | None) -> None:
        SocketFacts.__init__(self, settings, opened)
        self.close_code = 0
        self.close_reason = ""
        self._backlog: Backlog | None = None
        self._turns = 0

    def limit_writes(self) -> None:
        """Let as much wait in the stream as the policy wants."""
        if self._settings.policy == BLOCK:
            bound = self.core.limits.websocket_send_queue
            self.wire.limit_writes(bound, bound // 4)
        else:  # what waits shall wait where the policy can reach it
            self.wire.limit_writes(0, 0)

    def become(self, exchange: Exchange, core: Core, subprotocol: str | None) -> None:
        """Be open: speak over the stream of `exchange`."""
        if self._opened is not None:
            self._opened.handshake = self._opened.stream = None
            self._opened.subprotocol = subprotocol
        self.take_over(exchange, core)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.name}>"

    # What it is

    @property
    def state(self) -> SocketState:
        """Where it is in its life."""
        if self.is_gone:
            return SocketState.CLOSED
        if self.core is None:
            return SocketState.CONNECTING
        return SocketState.CLOSING if self.shut else SocketState.OPEN

    @property
    def closed(self) -> bool:
        """Whether no message can be sent any more."""
        return self.shut

    @property
    def window_bits(self) -> int | None:
        """Window that our compressed messages may use, 8 to 15; None where none are agreed on."""
        deflate = None if self.core is None else self.core.deflate
        return None if deflate is None else deflate.send_bits

    @property
    def latency(self) -> float | None:
        """Seconds from the last Ping that kept the connection alive to its Pong; None before there was one."""
        latency = -1.0 if self.core is None else self.core.latency
        return None if latency < 0 else latency

    @property
    def unsent(self) -> int:
        """Bytes that wait for the peer."""
        waiting = 0 if self._backlog is None else self._backlog.size
        return waiting + (0 if self.wire is None or self.is_gone else self.wire.unwritten)

    # Sending

    def send_text(self, text: str, *, key: Hashable | None = None) -> Awaitable[None]:
        """Send a text message. It is framed at once, unless the peer takes less than is sent; await it to wait then.

        Args:
            text: the message.
            key: what it is about, for a route whose policy is to conflate.

        Raises:
            WebSocketClosed: no message can be sent any more.
            LocalProtocolError: the text holds a lone surrogate.
        """
        if not isinstance(text, str):
            raise TypeError(f"a text message is a str, not {type(text).__name__}")
        return self._send(text, key)

    def send_bytes(self, data: bytes | bytearray | memoryview, *, key: Hashable | None = None) -> Awaitable[None]:
        """Send a binary message. As `send_text`."""
        if isinstance(data, str):
            raise TypeError("a binary message is bytes-like, not str")
        return self._send(data if type(data) is bytes else bytes(data), key)

    def send_json(self, value: Any, *, key: Hashable | None = None) -> Awaitable[None]:
        """Send a text message that is JSON. As `send_text`.

        Raises:
            TypeError: `value` has no form in JSON.
        """
        return self._send(orjson.dumps(value).decode(), key)

    def send_msgpack(self, value: Any, *, key: Hashable | None = None) -> Awaitable[None]:
        """Send a binary message that is MessagePack. As `send_text`."""
        return self._send(msgpack.packb(value), key)

    def try_send(self, message: str | bytes, *, key: Hashable | None = None) -> bool:
        """Send a message without waiting, which is what a listener does.

        Returns:
            False where it was dropped, for there is no room and who sends cannot wait, or the socket is closed.
        """
        if self.shut or self.core is None:
            return False
        if self._backlog is not None or self.pressed:
            return self._wait_in_line(Waiting(message, PLAIN), key)
        self.core.send_message(message)
        self.cork(len(message))
        return True

    def post(self, frames: bytes, *, compressed: bool = False, key: Hashable | None = None) -> bool:
        """Send a message that `highper_core.frame_message` has framed, as `try_send`; of a SERVER only.

        Args:
            frames: all of them.
            compressed: they were compressed within at most `window_bits`.
            key: as for `send_text`.
        """
        return self.take_frames(frames, compressed, key)

    def take_frames(self, frames: bytes, compressed: bool, key: Hashable | None) -> bool:
        """Do as `post`, which is how it is called from compiled code."""
        if self.shut or self.core is None:
            return False
        if self._backlog is not None or self.pressed:
            form = COMPRESSED if compressed else FRAMED
            return self._wait_in_line(Waiting(frames, form), key)
        self.core.send_framed(frames, compressed)
        self.push()
        return True

    def stream(self, *, text: bool = False) -> OutgoingStream:
        """Send one message piece by piece: `async with socket.stream() as send: await send(b"...")`.

        Other messages wait until it has ended.

        Args:
            text: it is a text message, and its pieces are str.
        """
        return OutgoingStream(self, text)

    def _send(self, message: Any, key: Hashable | None) -> Awaitable[None]:
        if self.shut or self.core is None:
            self._refuse()
        if self._backlog is not None or self.pressed:
            return self._send_in_line(message, key)
        self.core.send_message(message)
        self.cork(len(message))
        self._turns += 1
        if self._turns < TURNS:
            return DONE
        self._turns = 0
        return breathe(self.transport)

    def _refuse(self) -> None:
        if self.core is None and not self.shut:
            raise RuntimeError("the WebSocket is not open yet: await accept() first")
        raise WebSocketClosed(self.close_code or CloseCode.ABNORMAL.value, self.close_reason)

    # Waiting in line

    def _send_in_line(self, message: Any, key: Hashable | None) -> Awaitable[None]:
        if self._settings.policy != BLOCK:
            if not self._wait_in_line(Waiting(message, PLAIN), key):
                self._refuse()
            return DONE
        waiting = Waiting(message, PLAIN, self.transport.waiter())
        self._have_backlog().add(waiting)
        return framed(self, waiting)

    def _wait_in_line(self, message: Waiting, key: Hashable | None) -> bool:
        """Let a message wait, or do what the policy says."""
        if self._have_backlog().add(message, key):
            return True
        if self._settings.policy == Policy.CLOSE:
            backlog, self._backlog = self._have_backlog(), None
            self._shut(CloseCode.TRY_AGAIN_LATER.value, "too slow")
            backlog.clear()
        return False

    def _have_backlog(self) -> Backlog:
        if self._backlog is None:
            self._backlog = Backlog(self._settings.policy, self.core.limits.websocket_send_queue)
        return self._backlog

    def relieved(self) -> None:
        """Frame what waits, as far as the peer takes it."""
        backlog = self._backlog
        if backlog is None:
            return
        if backlog.streaming:
            backlog.make_room()
            return
        size = 0
        while len(backlog) and not (self.pressed or self.shut or backlog.streaming):
            message = backlog.take()
            self._frame(message)
            size += message.size
            if size >= BURST or not len(backlog):
                size = 0
                self.push()
        if not (len(backlog) or backlog.streaming):
            self._backlog = None

    def _frame(self, message: Waiting) -> None:
        message.framed = True
        if message.form == PLAIN:
            self.core.send_message(message.content)
        elif message.form == STREAM:
            self._have_backlog().streaming = True
        else:
            assert isinstance(message.content, bytes)
            self.core.send_framed(message.content, message.form == COMPRESSED)
        if message.waiter is not None:
            message.waiter.wake()

    # Streaming, for `OutgoingStream`

    async def _begin_stream(self) -> None:
        """Wait for what waits before."""
        if self.shut or self.core is None:
            self._refuse()
        backlog = self._have_backlog()
        if backlog.streaming or len(backlog):
            turn = Waiting("", STREAM, self.transport.waiter())
            backlog.add(turn)
            await framed(self, turn)
        backlog.streaming = True

    async def _send_piece(self, piece: Any, finished: bool) -> None:
        while self.pressed and self._backlog is not None:
            self._backlog.room = self.transport.waiter()
            await self._backlog.room
        if self.shut:
            self._refuse()
        self.core.send(TextFragment(piece, finished) if isinstance(piece, str) else BytesFragment(piece, finished))
        self.cork(len(piece))
        self._turns += 1
        if self._turns >= TURNS:
            self._turns = 0
            await breathe(self.transport)

    def _end_stream(self) -> None:
        """Let others send."""
        if self._backlog is not None:
            self._backlog.streaming = False
            if not self.pressed:
                self.relieved()

    # Ping

    async def ping(self) -> float:
        """Send a Ping and wait for its Pong; return the seconds that took.

        Raises:
            WebSocketClosed: the socket ended first.
        """
        if self.shut or self.core is None:
            self._refuse()
        extras = self._have_extras()
        transport = self.transport
        token, waiter = extras.expect(transport)
        self.core.send(Ping(token))
        self.cork(0)
        began = transport.now()
        try:
            await waiter
        finally:
            extras.pings.pop(token, None)
        if self.over:
            self._refuse()
        return transport.now() - began

    def ponged(self, data: bytes) -> None:
        """End the wait for this Pong, and for those of earlier Pings."""
        if self._extras is not None:
            self._extras.answered(data)

    # Ending

    def close(self, code: int = 1000, reason: str = "") -> Ending:
        """Send what waits and Close; await it to wait for the peer's, at most `websocket_close_timeout` seconds.

        Args:
            code: close code.
            reason: up to 123 bytes of UTF-8.

        Raises:
            LocalProtocolError: a code or reason that may not be sent.
        """
        self._shut(code, reason)
        return Ending(self)

    async def wait_closed(self) -> None:
        """Wait until the stream is gone."""
        if self.transport is not None and not self.is_gone:
            extras = self._have_extras()
            waiter = self.transport.waiter()
            extras.closers.append(waiter)
            await waiter

    def _shut(self, code: int, reason: str = "") -> None:
        """Send what waits, and Close; no message can be sent behind it."""
        if self.shut or self.core is None:
            return
        backlog, self._backlog = self._backlog, None
        while backlog is not None and len(backlog) and not backlog.streaming:
            self._frame(backlog.take())
        self.begin_closing(code, reason)
        self.close_code, self.close_reason = code, reason
        if backlog is not None:
            backlog.clear()
        self._tell_watchers()

    def ending(self, code: int, reason: str) -> None:
        """Keep what the peer said at the end, and end every wait."""
        if not self.close_code or code != CloseCode.ABNORMAL:
            self.close_code, self.close_reason = code, reason
        backlog, self._backlog = self._backlog, None
        if backlog is not None:
            backlog.clear()
        if self._extras is not None:
            self._extras.answer_all()
        self._tell_watchers()

    def shutdown(self) -> None:
        """The server stops."""
        self._shut(CloseCode.GOING_AWAY.value)

    def gone(self) -> None:
        """End the waits for that."""
        if self._extras is not None:
            self._extras.dismiss()
