"""Choosing a provider by name: ours, and those that third parties register under `highper.transports`."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from highper_core import engine
from highper_core.errors import EngineUnavailable

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
_PREFERRED = ("epoll", "uvloop", "asyncio")


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


def _fast_is_built() -> bool:
    try:
        engine("fast")
    except EngineUnavailable:
        return False
    return True


def _best(running: bool) -> str:
    """Return the name that "auto" stands for."""
    for name in _PREFERRED[:-1]:
        if name == "epoll" and not _fast_is_built():
            continue  # its gain is small beside what the portable engine costs
        if name == "uvloop" and running:
            continue  # there is a loop, which is not to be replaced
        if why_not(name) is None:
            return name
    return _PREFERRED[-1]


def transport(name: str = AUTO, *, running: bool = False) -> Any:
    """Return the provider class called `name`.

    "auto" is epoll on Linux where the fast engine is built, else uvloop where installed, else asyncio.

    Args:
        name: "auto", ours or a third party's.
        running: it is for a loop that runs already, so that "auto" chooses among those that join any.

    Raises:
        TransportUnavailable: it is unknown, does not load, or cannot run here.
    """
    if name == AUTO:
        name = _best(running)
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
