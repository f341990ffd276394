# cython: annotation_typing=False
"""One asyncio transport as a stream.

The class is split in two because a compiled class has only compiled bases: all work is in `WireStream`, and
`AsyncioStream` adds what makes it one of asyncio's protocols.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from ..errors import StreamBroken
from ..intake import Intake
from ..sockets import peer_name
from ..stream import Stream

if TYPE_CHECKING:
    from .transport import AsyncioTransport

__all__ = ["WireStream"]

PIECE = 64 * 1024
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, for no time: closing sends a reset


class _Gone:
    """What a loop's transport would be if it took calls after its end lightly."""

    def write(self, data: object) -> None:
        """Write to nobody."""

    writelines = write

    def get_write_buffer_size(self) -> int:
        """Hold nothing back."""
        return 0

    def can_write_eof(self) -> bool:
        """Nobody reads it."""
        return False

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        """Bound nothing."""

    def close(self) -> None:
        """Stay closed."""

    pause_reading = resume_reading = close


_GONE: Any = _Gone()


class Filler(asyncio.BufferedProtocol):
    """Stands in for a stream's protocol while content is received straight into its final object."""

    __slots__ = ("_intake", "_stream")

    def __init__(self, stream: WireStream, intake: Intake) -> None:
        self._stream = stream
        self._intake = intake

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes go."""
        return self._intake.room

    def buffer_updated(self, nbytes: int) -> None:
        """Stand back once the intake is full, so that what follows the content goes where it belongs."""
        self._intake.advance(nbytes)
        if not self._intake.missing:
            self._stream.receive_into(None)
        self._stream.filled(nbytes)

    def eof_received(self) -> bool:
        """Pass the end of input on."""
        return self._stream.eof_received()

    def pause_writing(self) -> None:
        """Pass write pressure on."""
        self._stream.pause_writing()

    def resume_writing(self) -> None:
        """Pass the end of write pressure on."""
        self._stream.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        """Pass the end on."""
        self._stream.connection_lost(error)


class WireStream(Stream):
    """One peer's bytes over a loop's transport.

    Args:
        transport: the provider.
        opened: called once the stream can be used.
    """

    __slots__ = ("_opened", "_wire", "_clock", "_write", "_filler", "_joins", "_scratch", "_turn")

    def __init__(self, transport: AsyncioTransport, opened: Callable[[Stream], object]) -> None:
        Stream.__init__(self, transport)
        self._opened: Callable[[Stream], object] | None = opened
        self._clock = transport.now
        self._turn = transport.turn
        self._filler: Filler | None = None
        self._joins = False
        self._scratch: Any = transport.scratch
        self.fills = True

    # The loop's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Learn the addresses, and tell whoever waits for a stream."""
        self._wire = cast(asyncio.Transport, transport)
        self._write = self._wire.write
        self._joins = type(transport).__module__ == "asyncio.selector_events"  # up to 3.13.1 its lists press nobody
        self.peer = peer_name(transport.get_extra_info("peername"))
        self.local = peer_name(transport.get_extra_info("sockname"))
        secured = transport.get_extra_info("ssl_object")
        if secured is not None:
            self.scheme = "https"
            self.alpn = secured.selected_alpn_protocol()
        else:
            self.sends_files = cast("AsyncioTransport", self.transport).sends_files
        opened, self._opened = self._opened, None
        assert opened is not None
        opened(self)

    def data_received(self, data: bytes) -> None:
        """Pass bytes on."""
        self._turn.deliver(self, data)

    def give_way(self) -> bool:
        """Let those come as far first whom the loop tells of before its next pass."""
        return self._turn.give_way(self)

    def get_buffer(self, sizehint: int) -> Any:
        """Return where the next bytes go: a place that all streams of the transport share."""
        return self._scratch

    def buffer_updated(self, count: int) -> None:
        """Pass on what was received."""
        self.data_received(self._scratch[:count].tobytes())

    def eof_received(self) -> bool:
        """Pass the end of input on. TLS as the standard library does it cannot stay half open."""
        self.deliver_end()
        return self._wire.can_write_eof()

    def pause_writing(self) -> None:
        """Pass write pressure on."""
        self.deliver_pressure(True)

    def resume_writing(self) -> None:
        """Pass the end of write pressure on."""
        self.deliver_pressure(False)

    def connection_lost(self, error: Exception | None) -> None:
        """Pass the end on."""
        self._wire = _GONE
        self._write = _GONE.write
        self._filler = None
        self.deliver_loss(error)

    # Our side

    @property
    def unwritten(self) -> int:
        """Bytes in the loop's write buffer."""
        return self._wire.get_write_buffer_size()

    def write(self, data: bytes | list[bytes]) -> None:
        """Queue bytes, or a list of bytes."""
        if isinstance(data, list):
            if self._joins:
                self._write(b"".join(data))
            else:
                self._wire.writelines(data)
        else:
            self._write(data)

    def write_eof(self) -> None:
        """Send end of input after what is queued; TLS, which cannot stay half open here, closes instead."""
        if not self._wire.can_write_eof():
            self._wire.close()
        elif not self._wire.is_closing():
            try:
                self._wire.write_eof()
            except OSError:  # it was reset, which a loop that does not read has not told yet
                self._wire.abort()

    def receive_into(self, intake: Intake | None) -> None:
        """Let the loop write into the room of `intake`, by standing back for another protocol until it is full."""
        if intake is not None:
            self._filler = Filler(self, intake)
            self._wire.set_protocol(self._filler)
        elif self._filler is not None:
            self._filler = None
            self._wire.set_protocol(cast(asyncio.BaseProtocol, self))

    def filled(self, count: int) -> None:
        """Tell the receiver that bytes went into the intake."""
        if self.receiver is not None:
            self.receiver.filled(count, self._clock())

    async def send_file(self, file: BinaryIO, offset: int, length: int, timeout: float = 30.0) -> None:
        """Move a part of a file by sendfile, or by the loop's own copying where that fails.

        In pieces, because the loop does not tell how far it came: a peer that takes less than one in time is given up.
        """
        loop = asyncio.get_running_loop()
        end = offset + length
        while offset < end:
            try:
                async with asyncio.timeout(timeout):
                    sent = await loop.sendfile(self._wire, file, offset, min(PIECE, end - offset))
            except TimeoutError as error:
                self.abort()
                raise StreamBroken("the peer takes nothing of a file") from error
            except (OSError, RuntimeError) as error:
                raise StreamBroken("the stream ended inside a file") from error
            if not sent:
                raise StreamBroken(f"the file ended {end - offset} bytes early")
            offset += sent

    def limit_writes(self, high: int, low: int) -> None:
        """Set the water marks of the write buffer."""
        self._wire.set_write_buffer_limits(high, low)

    def close(self) -> None:
        """Close after what is queued was written."""
        self._wire.close()

    def abort(self) -> None:
        """Close now, with a reset where the system allows."""
        if self._wire is _GONE:
            return
        wire: Any = self._wire.get_extra_info("socket")
        if wire is not None:  # TLS that was aborted has none
            with suppress(OSError):  # a socket that knows no reset
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._wire.abort()

    def pause_reading(self) -> None:
        """Deliver no more bytes until resumed."""
        self._wire.pause_reading()

    def resume_reading(self) -> None:
        """Deliver bytes again."""
        self._wire.resume_reading()
