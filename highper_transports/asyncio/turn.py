# cython: annotation_typing=False
"""A turn: what is ready at the same time is taken forward together, a stage at a time.

All the code between a request's bytes and its answer is more than a processor keeps at hand. Taken through whole, every
request fetches it anew; taken forward together, each stage is fetched once for all of them. A receiver that has read a
head gives way until the others have been read, begins what it read, and gives way once more until the first steps of
all their tasks have run.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import TYPE_CHECKING

from ._native import FirstSteps
from .tasks import leave_kept, run_kept

if TYPE_CHECKING:
    from ..stream import Stream

__all__ = ["LoopTurn", "Turn"]


class Turn:
    """Streams that gave way to others.

    Attributes:
        is_open: streams may give way, for `go` follows.
        first: keeps first steps meanwhile; None where they run when a task is made.
    """

    __slots__ = ("is_open", "first", "_failed", "_streams")

    def __init__(self) -> None:
        self.is_open = False
        self.first: FirstSteps | None = None
        self._failed: Stream | None = None
        self._streams: list[Stream] = []

    def __len__(self) -> int:
        return len(self._streams)

    def give_way(self, stream: Stream) -> bool:
        """Return whether the receiver of `stream` will be called to `proceed`."""
        if self.is_open:
            self._streams.append(stream)
        return self.is_open

    def go(self, now: float) -> None:
        """Take everybody forward until nobody gives way any more. What a receiver raises leaves it; go on then."""
        first = self.first
        self.is_open = True
        try:
            while self._streams:
                if first is not None:
                    first.keeping = True
                self._stage(now)
                if first is not None:
                    first.keeping = False
                    run_kept(first)
        except BaseException:
            if first is not None:
                first.keeping = False
                leave_kept(first)
            raise
        finally:
            self.is_open = False

    def take_failed(self) -> Stream | None:
        """Return the stream whose receiver raised what `go` has raised; None where that was nobody's own."""
        failed, self._failed = self._failed, None
        return failed

    def _stage(self, now: float) -> None:
        streams, self._streams = self._streams, []
        done = 0
        try:
            for stream in streams:
                done += 1
                receiver = stream.receiver
                if receiver is not None:
                    receiver.proceed(now)
        except BaseException:
            self._failed = streams[done - 1]
            self._streams += streams[done:]
            raise


class LoopTurn(Turn):
    """A turn of a loop that tells one by one what is ready: it goes in the loop's next pass.

    Args:
        loop: whose turns these are.
        now: returns the time.
    """

    __slots__ = ("now", "_loop", "_planned")

    def __init__(self, loop: AbstractEventLoop, now: Callable[[], float]) -> None:
        Turn.__init__(self)
        self._loop = loop
        self.now = now
        self._planned = False

    def deliver(self, stream: Stream, data: bytes) -> None:
        """Hand what came to the receiver of `stream`, who may give way."""
        self.is_open = True
        try:
            stream.deliver(data, self.now())
        finally:
            self.is_open = False
        if self._streams and not self._planned:
            self._planned = True
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._planned = False
        now = self.now()
        while self._streams:
            try:
                self.go(now)
            except (KeyboardInterrupt, SystemExit):
                if self._streams:
                    self._planned = True
                    self._loop.call_soon(self._go_on)
                raise
            except BaseException as error:
                self._loop.call_exception_handler({"message": "receiver of a stream failed", "exception": error})
                failed = self.take_failed()
                if failed is not None:
                    failed.abort()
