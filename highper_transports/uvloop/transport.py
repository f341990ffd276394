"""What differs from asyncio: the loop, and what it cannot do."""

from __future__ import annotations

import asyncio
import time
from importlib.util import find_spec

from ..asyncio.transport import AsyncioTransport

__all__ = ["UvloopTransport"]


class UvloopTransport(AsyncioTransport):
    """The provider over a running uvloop; made inside it."""

    name = "uvloop"

    def __init__(self) -> None:
        AsyncioTransport.__init__(self)
        self.now = self.turn.now = time.monotonic  # the clock beneath its own, without the rounding to milliseconds

    @classmethod
    def unavailable(cls) -> str | None:
        """Return why uvloop cannot be used here, or None."""
        return None if find_spec("uvloop") is not None else "uvloop is not installed (pip install highper[uvloop])"

    @classmethod
    def new_loop(cls) -> asyncio.AbstractEventLoop:
        """Return a loop as `run` uses it."""
        import uvloop  # no sooner

        return uvloop.new_event_loop()
