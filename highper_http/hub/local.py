"""The bus within one process: between hubs of several servers, and for tests of what goes over a bus."""

from __future__ import annotations

from collections import deque

from zope.interface import implementer

from .interfaces import IBus, IBusListener

__all__ = ["LocalBus", "Wire"]


class Wire:
    """What the buses of several hubs are joined by."""

    def __init__(self) -> None:
        self._ends: list[LocalBus] = []
        self._packets: deque[tuple[str, bytes]] = deque()
        self._carrying = False

    def join(self, end: LocalBus) -> None:
        """Let `end` have what is carried from now on."""
        self._ends.append(end)

    def leave(self, end: LocalBus) -> None:
        """Let it have no more."""
        self._ends.remove(end)

    def carry(self, topic: str, packet: bytes) -> None:
        """Bring a packet to all who want it; one that is sent because of it comes behind it, to everybody."""
        self._packets.append((topic, packet))
        if self._carrying:
            return
        self._carrying = True
        try:
            while self._packets:
                carried = self._packets.popleft()
                for end in list(self._ends):
                    end.hand_over(*carried)
        finally:
            self._carrying = False


@implementer(IBus)
class LocalBus:
    """One hub's end of a `Wire`. Nothing is lost, and there is always room."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._topics: set[str] = set()
        self._listener: IBusListener | None = None

    async def start(self, listener: IBusListener) -> None:
        """Join the wire."""
        self._listener = listener
        self._wire.join(self)

    async def stop(self) -> None:
        """Leave it."""
        self._wire.leave(self)
        self._topics.clear()
        self._listener = None

    def subscribe(self, topic: str) -> None:
        """Hand over what comes under `topic`, at once."""
        assert self._listener is not None
        self._topics.add(topic)
        self._listener.subscribed(topic)

    def unsubscribe(self, topic: str) -> None:
        """Hand over no more of it."""
        self._topics.discard(topic)

    def send(self, topic: str, packet: bytes) -> bool:
        """Carry a packet."""
        self._wire.carry(topic, packet)
        return True

    async def room(self) -> None:
        """There is."""

    def hand_over(self, topic: str, packet: bytes) -> None:
        """Give a packet to the hub, if it wants it."""
        if topic in self._topics and self._listener is not None:
            self._listener.received(topic, packet)
