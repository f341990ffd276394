"""A receiver that notes what a pretended stream tells it, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from highper_transports.memory import MemoryTransport, Peer
from highper_transports.sockets import Binding
from highper_transports.stream import Receiver, Stream


class Log(Receiver):
    """Notes what its stream tells, with the time."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.notes: list[tuple[float, object]] = []
        stream.receiver = self

    def note(self, what: object) -> None:
        self.notes.append((self.stream.transport.now(), what))

    @property
    def told(self) -> list[object]:
        return [what for _, what in self.notes]

    def received(self, data: bytes, now: float) -> None:
        self.note(data)

    def ended(self) -> None:
        self.note("ended")

    def lost(self, error: BaseException | None) -> None:
        self.note("lost" if error is None else type(error))

    def writing_paused(self) -> None:
        self.note("paused")

    def writing_resumed(self) -> None:
        self.note("resumed")


def run(main: Callable[[MemoryTransport], Coroutine[Any, Any, Any]], **options: Any) -> Any:
    return MemoryTransport.run(main, **options)


async def pair(transport: MemoryTransport) -> tuple[Peer, Log]:
    """Return two ends of a new stream: one to play with, one that notes."""
    logs: list[Log] = []
    listener = await transport.listen(Binding(host="here"), lambda stream: logs.append(Log(stream)))
    peer = await transport.dial(listener.address)
    await asyncio.sleep(0)
    return peer, logs[0]
