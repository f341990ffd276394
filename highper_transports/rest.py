"""Streams at rest, where a stream at rest is still an object.

A provider that keeps less of a stream at rest than the object brings an `IRest` of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from zope.interface import implementer

from .interfaces import IRest

if TYPE_CHECKING:
    from .interfaces import IStreamOwner
    from .stream import Receiver, Stream

__all__ = ["REST_DELAY", "Rest"]

REST_DELAY: Final = 1.0  # quiet seconds after which a stream rests or dozes


@implementer(IRest)
class Rest:
    """The streams at rest of one transport, in the order in which they were laid."""

    __slots__ = ("_streams",)

    def __init__(self) -> None:
        self._streams: dict[Stream, None] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def add(self, stream: Stream) -> None:
        """Keep a stream that is at rest now."""
        self._streams[stream] = None

    def discard(self, stream: Stream) -> None:
        """Forget a stream that woke or is gone."""
        self._streams.pop(stream, None)

    def hasten(self, owner: IStreamOwner, deadline: float) -> None:
        """Bring later deadlines of the streams of `owner` forward."""
        for stream in self._of(owner):
            if deadline < stream.deadline:
                stream.transport.timers.arm(stream, deadline)

    def close(self, owner: IStreamOwner) -> None:
        """Close the streams of `owner`."""
        for stream in self._of(owner):
            stream.close()

    def abort(self, owner: IStreamOwner) -> None:
        """End the streams of `owner` now."""
        for stream in self._of(owner):
            stream.abort()

    def rouse(self, owner: IStreamOwner) -> None:
        """Give receivers of `owner` a stream whose own dozes. Here none does."""

    def recall(self, place: int, receiver: Receiver) -> Stream:
        """Give a receiver a stream whose own dozes.

        Raises:
            LookupError: it does not.
        """
        raise LookupError(place)

    def write(self, place: int, receiver: Receiver, data: bytes) -> bool:
        """Send bytes on a stream that dozes; False where it must be recalled. Here none dozes."""
        return False

    def _of(self, owner: IStreamOwner) -> list[Stream]:
        return [stream for stream in self._streams if stream.owner is owner]
