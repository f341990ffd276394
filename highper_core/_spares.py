"""Memory of dead objects, where `_spares.pyx` is not built: the interpreter's affair alone."""

from __future__ import annotations

__all__ = ["keep_spares", "spares"]


def keep_spares(kind: type) -> bool:
    """Return False."""
    return False


def spares(kind: type) -> int:
    """Return 0."""
    return 0
