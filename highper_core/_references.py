"""The guard of the pool where `_references.pyx` is not built: plain Python cannot tell, so everything is held."""

from __future__ import annotations

from .context import RequestContext

__all__ = ["parts_unheld", "take_unheld"]


def parts_unheld(context: RequestContext) -> bool:
    """Return False."""
    return False


def take_unheld(free: list[RequestContext]) -> RequestContext | None:
    """Return None."""
    return None
