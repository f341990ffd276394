"""The provider of whoever runs in a loop already, and does not have one at hand: a client.

It is shared, so that all its streams have one timer wheel and one set of sockets, and kept for as long as one of them
is open.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakValueDictionary

from .registry import AUTO, transport

if TYPE_CHECKING:
    from .interfaces import ITransport

__all__ = ["join"]

_joined: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[type[ITransport], ITransport]] = (
    WeakKeyDictionary()
)


def join(name: str = AUTO) -> ITransport:
    """Return the provider called `name` in the running loop, the same one while it is in use.

    Raises:
        TransportUnavailable: it is unknown, does not load, or cannot run here.
        RuntimeError: no loop runs.
    """
    found = transport(name, running=True)
    known = _joined.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
    joined = known.get(found)
    if joined is None:
        joined = known[found] = found()
    return joined
