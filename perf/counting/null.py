"""A transport without a system: what is written is dropped, and the clock stands still."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from highper_transports.asyncio import AsyncioTransport
from highper_transports.intake import Intake
from highper_transports.sockets import Binding
from highper_transports.stream import Stream
from highper_transports.timers import TimerWheel

__all__ = ["NOW", "NullStream", "NullTransport"]


NOW = 1000.0
AGES = 1e6  # seconds until a timer fires: never in this program


class NullStream(Stream):
    """A peer that takes everything at once. `written` is the latest of it."""

    __slots__ = ("written",)

    def __init__(self, transport: NullTransport) -> None:
        Stream.__init__(self, transport)
        self.written = b""

    @property
    def unwritten(self) -> int:
        return 0

    def write(self, data: bytes | list[bytes]) -> None:
        self.written = data if isinstance(data, bytes) else b"".join(data)

    def limit_writes(self, high: int, low: int) -> None:
        pass

    def receive_into(self, intake: Intake | None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        self.transport.call_soon(self.deliver_loss, None)

    abort = close


class NullListener:
    """Accepts what `NullTransport.dial` makes."""

    address = ("127.0.0.1", 80)

    def __init__(self, opened: Callable[[Stream], object]) -> None:
        self.opened = opened

    def pause(self) -> None:
        pass

    resume = close = pause


class NullTransport(AsyncioTransport):
    """Tasks are those of the running loop."""

    name = "null"

    def __init__(self) -> None:
        super().__init__()
        self.now = lambda: NOW
        self.timers = TimerWheel(self.now, lambda when, callback: self.loop.call_later(AGES, callback))
        self._listener: NullListener | None = None

    async def listen(self, binding: Binding, opened: Callable[[Stream], object]) -> Any:
        self._listener = NullListener(opened)
        return self._listener

    def dial(self) -> NullStream:
        """Open a stream at the listener."""
        assert self._listener is not None
        stream = NullStream(self)
        self._listener.opened(stream)
        return stream
