"""The raw end of a stream, for whoever plays the other side by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import StreamBroken
from ..stream import Receiver, Stream

if TYPE_CHECKING:
    from ..interfaces import IWaiter

__all__ = ["Peer"]


class Peer(Receiver):
    """Sends and receives bytes, and nothing else. `transport.dial(address)` makes one.

    Attributes:
        stream: its end of the stream.
        has_ended: the other side sends no more.
        is_gone: the stream is gone.
        error: why, None after a close.
    """

    __slots__ = ("error", "has_ended", "is_gone", "stream", "_received", "_waiter")

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.has_ended = False
        self.is_gone = False
        self.error: BaseException | None = None
        self._received = bytearray()
        self._waiter: IWaiter | None = None
        stream.receiver = self

    # The stream's side

    def received(self, data: bytes, now: float) -> None:
        """Keep bytes for `receive`."""
        self._received += data
        self._wake()

    def ended(self) -> None:
        """The other side sends no more."""
        self.has_ended = True
        self._wake()

    def lost(self, error: BaseException | None) -> None:
        """The stream is gone."""
        self.is_gone = True
        self.error = error
        self._wake()

    def expired(self, now: float) -> None:
        """A peer by hand has no deadlines."""

    def _wake(self) -> None:
        if self._waiter is not None:
            self._waiter.wake()

    # The player's side

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.stream.write(data)

    def receive_nowait(self) -> bytes:
        """Return what has arrived, b"" where nothing has."""
        data = bytes(self._received)
        self._received.clear()
        return data

    async def receive(self) -> bytes:
        """Return what has arrived, at least a byte; b"" at the end of input.

        Raises:
            StreamBroken: the stream was reset, and everything before was received.
        """
        while not self._received:
            if self.error is not None:
                raise StreamBroken("the stream was reset") from self.error
            if self.has_ended or self.is_gone:
                return b""
            waiter = self._waiter = self.stream.transport.waiter()
            try:
                await waiter
            finally:
                self._waiter = None
        return self.receive_nowait()

    def put_back(self, data: bytes) -> None:
        """Let `data` be what is received next."""
        self._received[:0] = data

    async def receive_until(self, mark: bytes) -> bytes:
        """Return bytes up to and including `mark`; what follows stays.

        Raises:
            StreamBroken: the input ended before.
        """
        data = b""
        while (at := data.find(mark)) < 0:
            more = await self.receive()
            if not more:
                raise StreamBroken(f"the input ended before {mark!r}, after {data[-64:]!r}")
            data += more
        at += len(mark)
        self.put_back(data[at:])
        return data[:at]

    async def receive_exactly(self, length: int) -> bytes:
        """Return `length` bytes; what follows stays.

        Raises:
            StreamBroken: the input ended before.
        """
        data = b""
        while len(data) < length:
            more = await self.receive()
            if not more:
                raise StreamBroken(f"the input ended {length - len(data)} bytes early")
            data += more
        self.put_back(data[length:])
        return data[:length]

    async def receive_all(self) -> bytes:
        """Return everything up to the end of input.

        Raises:
            StreamBroken: the stream was reset.
        """
        data = b""
        while more := await self.receive():
            data += more
        return data

    def half_close(self) -> None:
        """Send the end of input; still receive."""
        self.stream.write_eof()

    def close(self) -> None:
        """Close, as a program does that is done."""
        self.stream.close()

    def reset(self) -> None:
        """Break the stream."""
        self.stream.abort()
