"""A server's streams: who wakes them, who counts them, who ends them.

An accepted stream begins at rest, with the first-byte deadline and no connection object. Bytes wake it: a driver with
its connection is taken from a bounded pool, and goes back there after a quiet second. What survives meanwhile is the
stream's own record.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from zope.interface import implementer

from .driver import Driver
from .interfaces import IStreamOwner
from .timers import Timed

if TYPE_CHECKING:
    from highper_core.connection import Connection
    from highper_core.limits import Limits

    from .interfaces import IApplication, IListener, ITransport, IWaiter
    from .stream import Receiver, Stream

__all__ = ["Service"]


class _Deadline(Timed):
    """Wakes a waiter when its time has come."""

    __slots__ = ("_waiter",)

    def __init__(self, waiter: IWaiter) -> None:
        Timed.__init__(self)
        self._waiter = waiter

    def expired(self, now: float) -> None:
        self._waiter.wake()


@implementer(IStreamOwner)
class Service:
    """Serves streams with one application. An `IStreamOwner`; hand `opened` to `ITransport.listen`.

    Args:
        transport: whose clock and tasks are used.
        application: gets the exchanges.
        connection: makes a SERVER connection, engine and limits decided.
        limits: the same limits, for streams that have no connection.
        prepared: drivers kept for reuse.
        capacity: streams open at once; beyond it the listeners are paused until a sixteenth of them has ended.

    Attributes:
        accepted: streams so far.
        resting: open ones without a connection object.
        streams: open ones.
        listeners: those that hand streams in; whoever opens one adds it.
    """

    def __init__(
        self,
        transport: ITransport,
        application: IApplication,
        connection: Callable[[], Connection],
        limits: Limits,
        *,
        prepared: int = 100,
        capacity: int = sys.maxsize,
    ) -> None:
        self.transport = transport
        self.application = application
        self.limits = limits
        self.accepted = 0
        self.resting = 0
        self.stopping = False
        self.streams: dict[Stream, None] = {}
        self.listeners: list[IListener] = []
        self._connection = connection
        self._prepared = prepared
        self._capacity = capacity
        self._crowded = False
        self._pool: list[Driver] = []
        self._emptied: IWaiter | None = None

    @property
    def open(self) -> int:
        """Streams open now."""
        return len(self.streams)

    def opened(self, stream: Stream) -> None:
        """Serve a stream that was just accepted."""
        self.accepted += 1
        self.streams[stream] = None
        stream.owner = self
        stream.limit_writes(self.limits.write_high_water, self.limits.write_low_water)
        self._lay(stream, self.transport.now() + self.limits.first_byte_timeout)
        if self.stopping:
            stream.close()
        if len(self.streams) >= self._capacity and not self._crowded:
            self._crowded = True
            for listener in self.listeners:
                listener.pause()

    def _lay(self, stream: Stream, deadline: float) -> None:
        self.resting += 1
        stream.resting = True
        stream.receiver = None
        self.transport.timers.arm(stream, deadline)

    def wake(self, stream: Stream) -> Receiver:
        """Give a resting stream a driver."""
        self.resting -= 1
        stream.resting = False
        if self._pool:
            driver = self._pool.pop()
            driver.attach(stream)
        else:
            driver = Driver(stream, self._connection(), self.application, self)
        driver.stopping = self.stopping
        return driver

    def rest(self, driver: Driver) -> None:
        """Take the driver from a stream that has nothing to do."""
        self._lay(driver.stream, driver.connection.next_deadline())
        self.retire(driver)

    def retire(self, driver: Driver) -> None:
        """Keep a driver for another stream, if there is room."""
        assert driver.stream is not None, "a driver is given back once"
        if len(self._pool) < self._prepared:
            driver.connection.reset()
            driver.stream = None  # type: ignore[assignment]
            self._pool.append(driver)

    def lost(self, stream: Stream) -> None:
        """A stream is gone."""
        del self.streams[stream]
        if stream.resting:
            stream.resting = False
            self.resting -= 1
        if self._crowded and len(self.streams) <= self._capacity * 15 // 16 and not self.stopping:
            self._crowded = False
            for listener in self.listeners:
                listener.resume()
        if not self.streams and self._emptied is not None:
            self._emptied.wake()

    async def stop(self, timeout: float) -> None:
        """Accept nobody, and end every stream.

        Resting ones now, the others when they have answered, what is left after `timeout`.
        """
        self.stopping = True
        for listener in self.listeners:
            listener.close()
        for stream in list(self.streams):
            receiver = stream.receiver
            if receiver is None:
                stream.close()
            elif isinstance(receiver, Driver):
                receiver.shutdown()
        await self._wait(timeout)
        for stream in list(self.streams):
            receiver = stream.receiver
            if isinstance(receiver, Driver):
                receiver.abort()
            else:
                stream.abort()
        await self._wait(1.0)

    async def _wait(self, timeout: float) -> None:
        if not self.streams:
            return
        self._emptied = self.transport.waiter()
        deadline = _Deadline(self._emptied)
        self.transport.timers.arm(deadline, self.transport.now() + timeout)
        try:
            await self._emptied
        finally:
            self._emptied = None
            self.transport.timers.cancel(deadline)
