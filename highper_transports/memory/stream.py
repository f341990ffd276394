"""One end of a stream in memory."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..intake import Intake
from ..stream import Stream
from .pipe import Pipe

if TYPE_CHECKING:
    from .transport import MemoryTransport

__all__ = ["MemoryStream", "join"]

HIGH, LOW = 64 * 1024, 16 * 1024  # asyncio's marks


class MemoryStream(Stream):
    """One end; `join` makes two of them a stream.

    Attributes:
        incoming, outgoing: the two directions, whose weather may be changed.
        reads: bytes may be delivered to this end.
    """

    __slots__ = (
        "incoming",
        "outgoing",
        "reads",
        "_closing",
        "_ends",
        "_high",
        "_intake",
        "_loop",
        "_lost",
        "_low",
        "_pressed",
        "_pushing",
        "_queue",
        "_unwritten",
    )

    incoming: Pipe
    outgoing: Pipe

    def __init__(self, transport: MemoryTransport, local: Any, peer: Any) -> None:
        Stream.__init__(self, transport)
        self.local = local
        self.peer = peer
        self.fills = transport.fills
        self.reads = True
        self._intake: Intake | None = None
        self._loop: AbstractEventLoop = transport.loop
        self._queue: deque[memoryview] = deque()
        self._unwritten = 0
        self._high, self._low = HIGH, LOW
        self._pressed = False
        self._pushing = False
        self._ends = False
        self._closing = False
        self._lost = False

    def __repr__(self) -> str:
        return f"<MemoryStream {self.local} -> {self.peer}>"

    # The pipes' side

    def take(self, data: bytes) -> None:
        """Hand bytes to the receiver. One that raises loses its stream."""
        try:
            if self._intake is not None:
                data = self._fill(self._intake, data)
            if data:
                self.deliver(data, self._loop.time())
        except Exception as error:
            self._fail(error)

    def _fill(self, intake: Intake, data: bytes) -> bytes:
        """Write into the intake, and return what does not belong there."""
        count = min(len(data), intake.missing)
        intake.add(data[:count])
        if not intake.missing:
            self._intake = None
        if self.receiver is not None:
            self.receiver.filled(count, self._loop.time())
        if not self.reads and count < len(data):  # the receiver paused or closed: the rest waits, or is dropped
            self.incoming.put_back(data[count:])
            return b""
        return data[count:]

    def take_end(self) -> None:
        """Hand the end of input to the receiver."""
        try:
            self.deliver_end()
        except Exception as error:
            self._fail(error)

    def has_room(self) -> None:
        """The other end took bytes: go on writing, on the next pass."""
        if self._queue and not self._pushing:
            self._pushing = True
            self._loop.call_soon(self._push_on)

    def reset(self) -> None:
        """The network or the other end broke the stream."""
        self._end(ConnectionResetError(104, "the stream was reset"))

    def _push_on(self) -> None:
        self._pushing = False
        if not self._lost:
            self._push()
            if self._pressed and self._unwritten <= self._low:
                self._pressed = False
                self.deliver_pressure(False)

    def _push(self) -> None:
        """Move what fits from our queue to the pipe."""
        pipe = self.outgoing
        if self._queue and pipe.sink.is_gone:
            self._queue.clear()
            self._unwritten = 0
            self._after(pipe.latency, self.reset)
            return
        queue = self._queue
        while queue and (room := pipe.room) > 0:
            data = queue.popleft()
            if len(data) > room:
                queue.appendleft(data[room:])
                data = data[:room]
            self._unwritten -= len(data)
            pipe.push(bytes(data))
        if not queue:
            if self._ends:
                pipe.push_end()
            if self._closing:
                self._leave()

    def _press(self) -> None:
        if self._unwritten > self._high and not self._pressed:
            self._pressed = True
            self.deliver_pressure(True)

    # Our side

    @property
    def is_gone(self) -> bool:
        """Whether this end can take nothing any more."""
        return self._lost or (self._closing and not self._queue)

    @property
    def unwritten(self) -> int:
        """Bytes that the pipe had no room for."""
        return self._unwritten

    def write(self, data: bytes | list[bytes]) -> None:
        """Queue bytes, or a list of bytes."""
        if self._closing or self._ends or self._lost:
            return
        for piece in data if isinstance(data, list) else (data,):
            if piece:
                self._queue.append(memoryview(piece))
                self._unwritten += len(piece)
        self._push()
        self._press()

    def write_eof(self) -> None:
        """Send end of input after what is queued."""
        if not (self._ends or self._closing or self._lost):
            self._ends = True
            self._push()

    def receive_into(self, intake: Intake | None) -> None:
        """Write what comes into the room of `intake` until it is full."""
        self._intake = intake

    def limit_writes(self, high: int, low: int) -> None:
        """Set the water marks of the write buffer."""
        self._high, self._low = high, low
        self._press()

    def close(self) -> None:
        """Close after what is queued was written."""
        if not (self._closing or self._lost):
            self._closing = True
            self.reads = False
            self._push()

    def abort(self) -> None:
        """Close now; the other end sees a reset."""
        if not self._lost:
            self._abandon()
            self._end(None)

    def pause_reading(self) -> None:
        """Deliver no more bytes until resumed."""
        self.reads = False

    def resume_reading(self) -> None:
        """Deliver bytes again."""
        if not (self.reads or self._closing or self._lost):
            self.reads = True
            self.incoming.schedule()

    # The end

    def refuse(self, error: Exception) -> None:
        """Nobody takes this end, because of `error`."""
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._loop.call_exception_handler(
            {"message": "a receiver raised; its stream is closed", "exception": error, "stream": self}
        )
        if not self._lost:
            self._abandon()
            self._end(error)

    def _leave(self) -> None:
        """Everything was written: be gone; with bytes unread that is a reset, as on systems (RFC 9112 section 9.6)."""
        if self.incoming.has_bytes:
            self._abandon()
        else:
            self.outgoing.push_end()
        self._end(None)

    def _abandon(self) -> None:
        """Let the other end see a reset."""
        self.outgoing.clear()
        self._after(self.outgoing.latency, self.outgoing.sink.reset)

    def _end(self, error: BaseException | None) -> None:
        """Take nothing and give nothing any more; the receiver is told on the next pass."""
        if self._lost:
            return
        self._lost = True
        self.reads = False
        self._queue.clear()
        self._unwritten = 0
        self.incoming.clear()
        self._loop.call_soon(self.deliver_loss, error)

    def _after(self, seconds: float, callback: Callable[[], None]) -> None:
        if seconds > 0:
            self._loop.call_later(seconds, callback)
        else:
            self._loop.call_soon(callback)


def join(loop: AbstractEventLoop, near: MemoryStream, far: MemoryStream, latency: float, capacity: int) -> None:
    """Make two ends one stream."""
    near.outgoing = far.incoming = Pipe(loop, near, far, latency, capacity)
    far.outgoing = near.incoming = Pipe(loop, far, near, latency, capacity)
