"""A bounded pool of request records that never hands out what somebody still holds.

A handler may keep its request, its response or the record for as long as it likes. So a record is reused only where
compiled code has seen that nothing but the pool refers to it, and nothing but the record to its two parts: once when
it is given back, after its back references were cut, and again when it is taken. Anything else is abandoned to the
collector; locals, which are cheap, are never reused at all. Without the compiled guard, and on free-threaded builds,
where counting references proves nothing, every record is new.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from ._references import parts_unheld, take_unheld
from .context import Part, RequestContext

__all__ = ["ContextPool"]

_next_pool = count().__next__
_IDS = 1 << 40  # that one pool may give out before it reaches those of the next


class ContextPool:
    """Hands out request records and takes them back.

    Args:
        request, response: make the parts of a new record; each part has `_reset()` and `_detach()`.
        size: records kept.

    Attributes:
        created, reused: records handed out, by origin.
        abandoned: records somebody still held.
        dropped: records beyond `size`.
    """

    __slots__ = ("_free", "_id", "_request", "_response", "_size", "abandoned", "created", "dropped", "reused")

    def __init__(self, request: Callable[[], Part], response: Callable[[], Part], size: int = 100) -> None:
        self._request = request
        self._response = response
        self._size = size
        self._free: list[RequestContext] = []
        self._id = _next_pool() * _IDS  # given last
        self.created = 0
        self.reused = 0
        self.abandoned = 0
        self.dropped = 0

    def prewarm(self, count: int) -> None:
        """Make `count` records before they are asked for."""
        for _ in range(count):
            self._free.append(self._create())

    def acquire(self) -> RequestContext:
        """Return a record that nobody else holds, with a new id."""
        self._id += 1
        while self._free:
            context = take_unheld(self._free)
            if context is not None:
                self.reused += 1
                context.id = self._id
                return context
            self._free.pop()
            self.abandoned += 1
        context = self._create()
        context.id = self._id
        return context

    def _create(self) -> RequestContext:
        self.created += 1
        return RequestContext(self._request(), self._response())

    def release(self, context: RequestContext) -> None:
        """Take a record back. The caller may still hold the record itself for the moment, not its parts."""
        context.detach()
        if not parts_unheld(context):
            self.abandoned += 1
        elif len(self._free) >= self._size:
            self.dropped += 1
        else:
            context.reset()
            self._free.append(context)

    def __len__(self) -> int:
        """Records waiting."""
        return len(self._free)

    def statistics(self) -> dict[str, int]:
        """Return how many records wait, and what became of the others so far."""
        return {
            "waiting": len(self._free),
            "created": self.created,
            "reused": self.reused,
            "abandoned": self.abandoned,
            "dropped": self.dropped,
        }
