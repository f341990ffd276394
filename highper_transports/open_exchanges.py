# cython: annotation_typing=False
"""The exchanges that are open on one stream: nearly always one, and where the protocol allows it more."""

from __future__ import annotations

from collections.abc import Iterator

from .exchange import Exchange

__all__ = ["OpenExchanges"]


class OpenExchanges:
    """Exchanges by their `stream_id`. Iterating goes over those that were open when it began."""

    __slots__ = ("_others", "_sole")

    def __init__(self) -> None:
        self._sole: Exchange | None = None  # the one that began while no other was open
        self._others: dict[int, Exchange] = {}

    def add(self, exchange: Exchange) -> None:
        """One has begun."""
        if self._sole is None and not self._others:
            self._sole = exchange
        else:
            self._others[exchange.stream_id] = exchange

    def find(self, stream_id: int) -> Exchange | None:
        """Return the one of this identifier, or None."""
        sole = self._sole
        if sole is not None and sole.stream_id == stream_id:
            return sole
        return self._others.get(stream_id) if self._others else None

    def remove(self, exchange: Exchange) -> bool:
        """One has ended, which may be told twice; return whether another is open."""
        if exchange is self._sole:
            self._sole = None
        else:
            self._others.pop(exchange.stream_id, None)
        return self._sole is not None or bool(self._others)

    def __len__(self) -> int:
        return (self._sole is not None) + len(self._others)

    def __iter__(self) -> Iterator[Exchange]:
        return iter([*([] if self._sole is None else [self._sole]), *self._others.values()])
