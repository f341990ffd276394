"""One direction of a stream in memory: what the writer still holds, what travels, what the reader has not taken.

The middle part stands for the buffers of both systems and the wire between them; it is bounded, so a reader that
pauses is felt by the writer as on a real socket. Bytes arrive by a callback of the loop, never inside `write`.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, Handle
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .faults import Faults
    from .stream import MemoryStream

__all__ = ["CAPACITY", "Pipe"]

CAPACITY = 64 * 1024
READ = 256 * 1024  # bytes one delivery carries at most, as asyncio reads
_END = b""


class Pipe:
    """Bytes on their way from one stream to another.

    Args:
        loop: whose clock and callbacks carry them.
        source, sink: who writes and who reads.
        latency: seconds from `push` to arrival.
        capacity: bytes that may be on the way, or arrived and not taken.

    Attributes:
        faults: the weather; None for none.
        delivered: bytes the reader was given so far.
    """

    __slots__ = (
        "capacity",
        "delivered",
        "faults",
        "latency",
        "sink",
        "source",
        "_arrival",
        "_end_queued",
        "_held",
        "_loop",
        "_pieces",
        "_waited",
    )

    def __init__(
        self, loop: AbstractEventLoop, source: MemoryStream, sink: MemoryStream, latency: float, capacity: int
    ) -> None:
        self.source = source
        self.sink = sink
        self.latency = latency
        self.capacity = capacity
        self.faults: Faults | None = None
        self.delivered = 0
        self._loop = loop
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._held = 0
        self._arrival: Handle | None = None
        self._end_queued = False
        self._waited = False

    @property
    def room(self) -> int:
        """Bytes that may be pushed now."""
        return self.capacity - self._held

    @property
    def has_bytes(self) -> bool:
        """Whether something is on the way or was not taken."""
        return self._held > 0

    def push(self, data: bytes) -> None:
        """Send bytes on their way; behind the end of input they vanish."""
        if self._end_queued:
            return
        self._pieces.append((self._loop.time() + self.latency, data))
        self._held += len(data)
        self.schedule()

    def put_back(self, data: bytes) -> None:
        """Let bytes that were delivered arrive again, before all others; dropped where the reader is gone."""
        if not self.sink.is_gone:
            self._pieces.appendleft((self._loop.time(), data))
            self._held += len(data)
            self.delivered -= len(data)

    def push_end(self) -> None:
        """Send the end of input on its way. Idempotent."""
        if not self._end_queued:
            self._end_queued = True
            self._pieces.append((self._loop.time() + self.latency, _END))
            self.schedule()

    def schedule(self) -> None:
        """Arrange the next arrival, if there is something to arrive and somebody who reads."""
        if self._arrival is None and self._pieces and self.sink.reads:
            when = self._pieces[0][0]
            if when <= self._loop.time():
                self._arrival = self._loop.call_soon(self._arrive)
            else:
                self._arrival = self._loop.call_at(when, self._arrive)

    def clear(self) -> None:
        """Forget everything on the way."""
        self._pieces.clear()
        self._held = 0
        if self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None

    def _arrive(self) -> None:
        self._arrival = None
        if not self.sink.reads or not self._pieces:
            return
        faults = self.faults
        if faults is not None:
            if not self._waited and (wait := faults.wait()) > 0:
                self._waited = True
                self._arrival = self._loop.call_later(wait, self._arrive)
                return
            self._waited = False
        data = self._collect()
        if faults is not None:
            count = faults.cut(self.delivered, len(data))
            rest, data = data[count:], data[:count]
            if rest:
                self._pieces.appendleft((self._loop.time(), rest))
        if data:
            self.delivered += len(data)
            self._held -= len(data)
            self.source.has_room()
            self.sink.take(data)
        elif self._pieces and self._pieces[0][1] is _END:
            self._pieces.popleft()
            self.sink.take_end()
        if faults is not None:
            self._break(faults)
        self.schedule()

    def _collect(self) -> bytes:
        """Take what has arrived, up to the end of input."""
        now = self._loop.time()
        pieces = self._pieces
        taken: list[bytes] = []
        length = 0
        while pieces and length < READ and pieces[0][0] <= now and pieces[0][1] is not _END:
            taken.append(pieces.popleft()[1])
            length += len(taken[-1])
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def _break(self, faults: Faults) -> None:
        """End what the weather ends here."""
        match faults.ends(self.delivered):
            case "reset":
                self.source.reset()
                self.sink.reset()
            case "half-close":
                self._held = 0
                self._pieces.clear()
                self.push_end()
                self.source.has_room()
