"""Two hubs on one wire, and subscribers that are no sockets: they keep what they are handed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Any

from zope.interface import implementer

from highper_http.hub import EVENTS, Hub, ISubscriber, LocalBus, Wire
from highper_http.testing import run

__all__ = ["Collector", "events", "two_hubs"]


@implementer(ISubscriber)
class Collector:
    """Takes messages until its room is used up.

    Args:
        window_bits: as a WebSocket has them; -1 for a reader of events.
        room: messages.
    """

    def __init__(self, window_bits: int | None = None, room: int = 1 << 30) -> None:
        self.window_bits = window_bits
        self.room = room
        self.taken: list[bytes] = []
        self.keys: list[Hashable] = []
        self.compressed: list[bool] = []
        self.closed = False
        self._callbacks: list[Callable[[Any], object]] = []

    def post(self, data: bytes, *, compressed: bool = False, key: Hashable | None = None) -> bool:
        if self.closed or self.room <= len(self.taken):
            return False
        self.taken.append(data)
        self.compressed.append(compressed)
        self.keys.append(key)
        return True

    def on_closed(self, callback: Callable[[Any], object]) -> None:
        self._callbacks.append(callback)

    def close(self) -> None:
        """End."""
        self.closed = True
        for callback in self._callbacks:
            callback(self)

    @property
    def texts(self) -> list[str]:
        """Messages of under 126 bytes, as text without their header; of events the data."""
        if self.window_bits == -1:
            return ["\n".join(_lines(event, "data")) for event in self.taken]
        return [frame[2:].decode() for frame in self.taken]

    @property
    def identities(self) -> list[str]:
        """Of the events."""
        return [_lines(event, "id")[0] for event in self.taken]


def _lines(event: bytes, field: str) -> list[str]:
    return [line[len(field) + 2 :] for line in event.decode().split("\n") if line.startswith(f"{field}: ")]


def events(hub: Hub, topic: str = "room", after: str | None = None) -> tuple[Collector, bool]:
    """Join as a reader of events; return it, and whether it was handed all that it missed."""
    reader = Collector(EVENTS)
    return reader, hub.join(reader, topic, after=after)


def two_hubs(main: Callable[[Hub, Hub], Awaitable[None]], **options: object) -> None:
    """Run `main` with two hubs on one bus, as two processes have them."""

    async def whole() -> None:
        wire = Wire()
        async with Hub(LocalBus(wire), **options) as one, Hub(LocalBus(wire), **options) as other:  # type: ignore[arg-type]
            await main(one, other)

    run(whole)
