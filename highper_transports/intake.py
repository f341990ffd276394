"""Content of known length on its way into its final object.

A large body that is wanted whole is received straight into the bytes object the application gets: the stream writes
into it, and the connection is only told how much came. Where the extension is not built the object is a bytearray
first, and copied once at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_new: Callable[[int], bytes | bytearray]
_view: Callable[[Any], memoryview]
try:
    from ._final import new_bytes as _new
    from ._final import writable as _view
except ImportError:
    _new, _view = bytearray, memoryview

__all__ = ["Intake"]


class Intake:
    """One body being collected.

    Args:
        length: octets it will have.

    Attributes:
        filled: octets it has.
    """

    __slots__ = ("_target", "_view", "filled")

    def __init__(self, length: int) -> None:
        self._target: bytes | bytearray = _new(length)
        self._view: memoryview = _view(self._target)
        self.filled = 0

    @property
    def room(self) -> memoryview:
        """What is still to be filled; written to by a stream, which calls `advance`."""
        return self._view[self.filled :]

    @property
    def missing(self) -> int:
        """Octets still to come."""
        return len(self._view) - self.filled

    def add(self, data: bytes | bytearray | memoryview) -> None:
        """Append octets that were received elsewhere."""
        end = self.filled + len(data)
        self._view[self.filled : end] = data
        self.filled = end

    def advance(self, count: int) -> None:
        """Say that `count` octets of `room` were filled."""
        self.filled += count

    def take(self) -> bytes:
        """Return the whole content; nothing can be filled in any more."""
        assert not self.missing, "content is taken when it is complete"
        self._view.release()
        target = self._target
        return target if isinstance(target, bytes) else bytes(target)
