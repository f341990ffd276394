"""Masking keys of one client's WebSocket: from the system's randomness, many at a time, for asking costs a call of it.

Nothing is shared with another WebSocket, so a server that sees its own keys knows nothing of any other's.
"""

from __future__ import annotations

import os

__all__ = ["Masks"]

SUPPLY = 256  # bytes, of which a key takes four


class Masks:
    """A `highper_core.websocket.MaskSource`. Holds nothing before it was first asked."""

    __slots__ = ("_at", "_supply")

    def __init__(self) -> None:
        self._supply = b""
        self._at = 0

    def __call__(self, count: int) -> bytes:
        """Return so many unpredictable bytes, which are not returned again (RFC 6455 sections 5.3 and 10.3)."""
        at = self._at
        end = self._at = at + count
        if end <= len(self._supply):
            return self._supply[at:end]
        self._supply = os.urandom(max(SUPPLY, count))
        self._at = count
        return self._supply[:count]
