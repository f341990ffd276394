"""What every engine's WebSocket is: protocol state of one peer pair behind its opening handshake, without a socket, a
clock or randomness.

An engine subclasses `WebSocket`. Where the extension is built, an augmenting declaration file gives it a C layout, as
for `connection.Connection`.

A Ping is answered, and a Close, without anybody's doing; both are shown. When the peer breaks a rule the Close that
tells it so is framed at once, and `next_event` raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from .closing import WebSocketState
from .errors import Fault
from .events import Event, Signal
from .frames import Opcode, serialize_frame
from .limits import Limits
from .permessage_deflate import Deflate, Deflater
from .state import Role

__all__ = ["MaskSource", "WebSocket", "frame_message"]

MaskSource: TypeAlias = Callable[[int], bytes]
"""Returns that many unpredictable bytes, as `os.urandom` does (RFC 6455 section 5.3)."""


class WebSocket:
    """One WebSocket, either role.

    Feed it bytes with `receive_data`, pull events with `next_event`, push events with `send`, collect bytes with
    `data_to_send`. It never blocks, sleeps, logs or reads the environment.

    Args:
        role: which side we are.
        limits: bounds it obeys.
        deflate: the compression that was agreed on, None for none.
        mask_source: where a CLIENT's masking keys come from; a SERVER has none.
        gather: show a message whole, as one finished fragment. Else show what there is of it, as it comes; then how
            much of a message was shown before a fault is not promised. May be set at any time.
    """

    def __init__(
        self,
        role: Role,
        limits: Limits,
        deflate: Deflate | None = None,
        mask_source: MaskSource | None = None,
        gather: bool = True,
    ) -> None:
        if (role is Role.CLIENT) is not (mask_source is not None):
            raise ValueError("a CLIENT needs a mask source, and a SERVER none")
        self.role = role
        self.limits = limits
        self.deflate = deflate
        self.gather = gather

    @property
    def state(self) -> WebSocketState:
        """Where it is in its life."""
        raise NotImplementedError

    @property
    def must_close(self) -> bool:
        """True when the stream is to be closed once what is framed has been written.

        A CLIENT that has done the closing handshake waits for the server to close first, up to its deadline.
        """
        raise NotImplementedError

    # Bytes in, events out

    def receive_data(self, data: bytes | bytearray | memoryview, now: float = 0.0) -> None:
        """Append bytes from the peer.

        Args:
            data: bytes-like of any length, borrowed during the call; empty means end of input.
            now: monotonic seconds.

        Raises:
            LocalProtocolError: EVENT_ILLEGAL, bytes after the end of input.

        State: any; behind the peer's Close and behind a fault they are dropped.
        Cost: one copy at most.
        """
        raise NotImplementedError

    def next_event(self) -> Event | Signal:
        """Return the next event, or NEED_DATA.

        `CloseConnection` comes when the peer's Close has, `ConnectionClosed` when the input has ended behind it.

        Raises:
            RemoteProtocolError: the peer broke a rule, a deadline has passed, or the input has ended without a Close;
                raised again on every further call.
        """
        raise NotImplementedError

    # Events in, bytes out

    def send(self, event: Event) -> None:
        """Frame one event into the output: a fragment, a Ping, a Pong or CloseConnection.

        Raises:
            LocalProtocolError: the event is illegal here; nothing of it was framed and the state is unchanged.
        """
        raise NotImplementedError

    def send_message(self, message: str | bytes) -> None:
        """Frame a whole message: exactly `send` of one finished fragment, without building it.

        Raises:
            LocalProtocolError: as `send`.
        """
        raise NotImplementedError

    def send_framed(self, frames: bytes, compressed: bool = False) -> None:
        """Put a whole message that `frame_message` has framed into the output of a SERVER.

        Args:
            frames: its bytes.
            compressed: it was framed with window bits, of which the peer has at least as many.

        Raises:
            LocalProtocolError: EVENT_ILLEGAL, not a SERVER, not OPEN, inside a message, or no compression agreed on.
        """
        raise NotImplementedError

    def data_to_send(self) -> bytes:
        """Return and forget the framed bytes, joined."""
        raise NotImplementedError

    def buffers_to_send(self) -> list[bytes]:
        """Return and forget the framed bytes, as the pieces they were framed in."""
        raise NotImplementedError

    # Rest

    @property
    def is_resting(self) -> bool:
        """True when it is OPEN, nothing is buffered either way, and no message is under way in either direction."""
        raise NotImplementedError

    @property
    def unparsed(self) -> int:
        """Bytes received and not yet parsed."""
        raise NotImplementedError

    # Deadlines

    @property
    def latency(self) -> float:
        """Seconds from our last Ping to its Pong; negative before there was one. Pings sent as events do not count."""
        raise NotImplementedError

    def next_deadline(self) -> float:
        """Monotonic second at which `expired` wants to be asked; infinity for never, minus infinity for at once."""
        raise NotImplementedError

    def expired(self, now: float) -> Fault:
        """Do what is due: send a Ping, begin to close, or fail. Look for output, then at `must_close`.

        Returns:
            the fault of the deadline that has passed, or `Fault.NONE`.
        """
        raise NotImplementedError

    def pause_reading(self, now: float) -> None:
        """Stop the clocks of the peer's silence: we do not read."""
        raise NotImplementedError

    def resume_reading(self, now: float) -> None:
        """Start them again."""
        raise NotImplementedError


def frame_message(
    message: str | bytes, *, window_bits: int | None = None, level: int = 6, memory_level: int = 8
) -> bytes:
    """Return a whole message as a SERVER sends it, the same bytes for any number of connections.

    Args:
        message: text or bytes.
        window_bits: compress it from an empty context, within the smallest window of those who will get it, 9 to 15;
            None for no compression.
        level, memory_level: as zlib has them.

    Raises:
        UnicodeEncodeError: the text holds a lone surrogate.
    """
    opcode, payload = (Opcode.TEXT, message.encode()) if isinstance(message, str) else (Opcode.BINARY, bytes(message))
    if window_bits is not None:
        payload = Deflater(window_bits, False, level, memory_level).deflate(payload, True)
    return serialize_frame(opcode, payload, compressed=window_bits is not None)
