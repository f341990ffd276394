"""Choosing a provider by name: ours, and those that third parties register under `highper.transports`."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from .errors import TransportUnavailable

__all__ = ["AUTO", "GROUP", "available", "names", "transport", "why_not"]

AUTO = "auto"
GROUP = "highper.transports"

# ours are known without an installation, so that a source tree works too
_OWN = {
    "asyncio": "highper_transports.asyncio:AsyncioTransport",
    "epoll": "highper_transports.epoll:EpollTransport",
    "uvloop": "highper_transports.uvloop:UvloopTransport",
    "memory": "highper_transports.memory:MemoryTransport",
}
_PREFERRED = ("uvloop", "asyncio")


@cache
def _registered() -> dict[str, str]:
    from importlib.metadata import entry_points  # a tenth of the time to the first answer, for nobody's own providers

    return {item.name: item.value for item in entry_points(group=GROUP)} | _OWN


def names() -> list[str]:
    """Return the name of every provider known here, available or not."""
    return list(_OWN) + sorted(set(_registered()) - set(_OWN))


def why_not(name: str) -> str | None:
    """Return why provider `name` cannot run here, or None if it can."""
    try:
        transport(name)
    except TransportUnavailable as error:
        return str(error)
    return None


def available() -> dict[str, str | None]:
    """Return every provider's name, with None or the reason why it cannot run here."""
    return {name: why_not(name) for name in names()}


def transport(name: str = AUTO) -> Any:
    """Return the provider class called `name`; "auto" is uvloop where installed, else asyncio.

    Raises:
        TransportUnavailable: it is unknown, does not load, or cannot run here.
    """
    if name == AUTO:
        name = next(item for item in _PREFERRED if item == _PREFERRED[-1] or why_not(item) is None)
    place = _OWN.get(name) or _registered().get(name)
    if place is None:
        raise TransportUnavailable(f"no transport is called {name!r}; there are {', '.join(names())}")
    module, _, attribute = place.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise TransportUnavailable(f"transport {name!r} does not load: {error}") from error
    reason = found.unavailable()
    if reason is not None:
        raise TransportUnavailable(reason)
    return found
