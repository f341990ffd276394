"""A server's streams: who wakes them, who counts them, who ends them.

An accepted stream begins at rest, with the first-byte deadline and no connection object. Bytes wake it: a driver with
its connection is taken from a bounded pool, and goes back there after a quiet second. Streams at rest are counted
here and kept by their transport, so that each costs what the transport needs to keep of it and nothing more.

Where many come at once, a quiet second is long: beyond `prepared` awake streams one rests as soon as it has nothing to
do, unless it is asked again and again. What is held at a peak is then bounded by who is busy, not by who came lately.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from zope.interface import implementer

from .driver import Driver
from .interfaces import IStreamOwner
from .rest import REST_DELAY
from .timers import NEVER, Timed

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
        prepared: drivers kept for reuse, and streams that may stay awake for a quiet second although asked but once.
        capacity: streams open at once; beyond it the listeners are paused until a sixteenth of them has ended.

    Attributes:
        accepted: streams so far.
        open: those that are not gone.
        awake: open ones that neither rest nor doze.
        listeners: those that hand streams in; whoever opens one adds it.
        stopping: nobody is accepted, and every answer is its stream's last.
        ending: streams are closed as soon as nothing runs on them.
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
        self.open = 0
        self.stopping = False
        self.ending = False
        self.awake: dict[Stream, None] = {}
        self.listeners: list[IListener] = []
        self._connection = connection
        self._prepared = prepared
        self._capacity = capacity
        self._crowded = False
        self._pool: list[Driver] = []
        self._emptied: IWaiter | None = None
        self._lull: IWaiter | None = None
        self._quiet = 0.0

    @property
    def resting(self) -> int:
        """Open streams that are at rest or doze, without an object where the transport needs none."""
        return self.open - len(self.awake)

    def statistics(self) -> dict[str, int]:
        """Return how many streams there are and have been, and how many drivers wait for one."""
        return {
            "accepted": self.accepted,
            "open": self.open,
            "awake": len(self.awake),
            "resting": self.resting,
            "drivers_waiting": len(self._pool),
        }

    def opened(self, stream: Stream, reader: Receiver | None = None) -> None:
        """Serve a stream that was just accepted.

        A `reader` gets what comes before HTTP, has the first byte's time for it, and calls `begin`.
        """
        self.accepted += 1
        self.open += 1
        if self.open >= self._capacity and not self._crowded:
            self._crowded = True
            for listener in self.listeners:
                listener.pause()
        stream.owner = self
        stream.limit_writes(self.limits.write_high_water, self.limits.write_low_water)
        deadline = self._latest(self.transport.now() + self.limits.first_byte_timeout)
        if reader is None and not self.ending:
            stream.rest(deadline)
            return
        self.awake[stream] = None
        if self.ending:
            stream.close()
        else:
            stream.receiver = reader
            self.transport.timers.arm(stream, deadline)

    def begin(self, stream: Stream, data: bytes, now: float) -> None:
        """Serve a stream whose reader is done; `data` came behind what it read."""
        if data:
            self.wake(stream).received(data, now)
        else:
            del self.awake[stream]
            stream.rest(self._latest(now + self.limits.first_byte_timeout))

    def wake(self, stream: Stream) -> Receiver:
        """Give a resting stream a driver."""
        self.awake[stream] = None
        if self._pool:
            driver = self._pool.pop()
            driver.attach(stream)
        else:
            driver = Driver(stream, self._connection(), self.application, self)
        driver.stopping = self.stopping
        driver.ending = self.ending
        driver.brief = len(self.awake) > self._prepared and not self._is_busy(stream)
        return driver

    def _is_busy(self, stream: Stream) -> bool:
        """Whether a stream that wakes was laid to rest after an answer less than a quiet second ago."""
        fresh = self.transport.now() + self.limits.idle_timeout - REST_DELAY
        return fresh < stream.rested_until < NEVER

    def rest(self, driver: Driver) -> None:
        """Take the driver from a stream that has nothing to do."""
        stream, deadline = driver.stream, driver.connection.next_deadline()
        del self.awake[stream]
        self.retire(driver)
        stream.rest(self._latest(deadline))

    def _latest(self, deadline: float) -> float:
        """Return until when a stream may rest."""
        return min(deadline, self.transport.now() + self._quiet) if self.stopping else deadline

    def retire(self, driver: Driver) -> None:
        """Keep a driver for another stream, if there is room."""
        if driver.stream is None:  # it serves somebody else by now, and would be given to a third
            raise RuntimeError("a driver is given back once")
        if len(self._pool) < self._prepared:
            driver.connection.reset()
            driver.stream = None  # type: ignore[assignment]
            self._pool.append(driver)

    def lost(self, stream: Stream) -> None:
        """A stream is gone."""
        del self.awake[stream]
        self._subtract(1)

    def lost_at_rest(self, count: int) -> None:
        """`count` streams at rest are gone."""
        self._subtract(count)

    def dozed(self, stream: Stream) -> None:
        """A stream dozes."""
        del self.awake[stream]

    def roused(self, stream: Stream) -> None:
        """A stream that dozed is awake."""
        self.awake[stream] = None

    def _subtract(self, count: int) -> None:
        self.open -= count
        if self._crowded and self.open <= self._capacity * 15 // 16 and not self.stopping:
            self._crowded = False
            for listener in self.listeners:
                listener.resume()
        if not self.open and self._emptied is not None:
            self._emptied.wake()

    async def withdraw(self, quiet: float, timeout: float) -> None:
        """Accept nobody, and let every stream end without costing its peer a request, for at most `timeout` seconds.

        The next answer on each says `connection: close`, so that nothing is asked behind it. A peer that asks nothing
        for `quiet` seconds is taken for idle, and its stream is closed. So much time passes in any case: who was just
        accepted, or is in a TLS handshake, is no stream yet. `shut` ends all of it sooner.
        """
        self.stopping = True
        self._quiet = quiet = min(quiet, timeout)
        self.decline()
        self.transport.rest.hasten(self, self.transport.now() + quiet)
        for stream in self.awake:
            if isinstance(stream.receiver, Driver):
                stream.receiver.stopping = True
        self._lull = self.transport.waiter()
        await self._wait(self._lull, quiet)
        await self.emptied(timeout - quiet)

    def shut(self) -> None:
        """Accept nobody, close what rests, and every other stream when its running request has been answered."""
        self.stopping = self.ending = True
        if self._lull is not None:
            self._lull.wake()
        self.decline()
        self.transport.rest.close(self)
        self.transport.rest.rouse(self)
        for stream in list(self.awake):
            receiver = stream.receiver
            if receiver is None:
                stream.close()
            else:
                receiver.shutdown()

    async def stop(self, timeout: float) -> None:
        """Accept nobody, and end every stream.

        Resting ones now, the others when they have answered, what is left after `timeout`.
        """
        self.shut()
        await self.emptied(timeout)
        self.transport.rest.abort(self)
        self.transport.rest.rouse(self)
        for stream in list(self.awake):
            receiver = stream.receiver
            if isinstance(receiver, Driver):
                receiver.abort()
            else:
                stream.abort()
        await self.emptied(1.0)

    def decline(self) -> None:
        """Accept nobody any more. Idempotent."""
        for listener in self.listeners:
            listener.close()

    async def emptied(self, timeout: float) -> None:
        """Wait until no stream is open, at most `timeout` seconds."""
        if not self.open:
            return
        self._emptied = self.transport.waiter()
        await self._wait(self._emptied, timeout)
        self._emptied = None

    async def _wait(self, waiter: IWaiter, timeout: float) -> None:
        deadline = _Deadline(waiter)
        self.transport.timers.arm(deadline, self.transport.now() + timeout)
        try:
            await waiter
        finally:
            self.transport.timers.cancel(deadline)
