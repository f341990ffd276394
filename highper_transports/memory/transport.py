"""Listening and connecting without a system: addresses are names in one transport's own network."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from itertools import count
from random import Random
from typing import Any

from zope.interface import implementer

from ..asyncio.transport import AsyncioTransport
from ..errors import BindingInvalid, ConnectFailed
from ..interfaces import IListener, ITransport
from ..sockets import Binding
from ..stream import Stream
from ..tls import TLS
from .faults import Faults
from .loop import VirtualClockLoop
from .peer import Peer
from .pipe import CAPACITY
from .stream import MemoryStream, join

__all__ = ["MemoryListener", "MemoryTransport"]

_FIRST_PORT = 49152  # of the ephemeral ones


@implementer(IListener)
class MemoryListener:
    """One address of the network that streams are accepted at."""

    def __init__(
        self, transport: MemoryTransport, address: Any, opened: Callable[[Stream], object], *, secured: bool
    ) -> None:
        self.address = address
        self.secured = secured
        self._transport = transport
        self._opened = opened
        self._paused = False
        self._waiting: deque[MemoryStream] = deque()

    def pause(self) -> None:
        """Leave new peers waiting until resumed."""
        self._paused = True

    def resume(self) -> None:
        """Accept again, first those who waited."""
        self._paused = False
        if self._waiting:
            self._transport.call_soon(self._accept_waiting)

    def _accept_waiting(self) -> None:
        while self._waiting and not self._paused:
            stream = self._waiting.popleft()
            stream.resume_reading()
            self.accept(stream)

    def close(self) -> None:
        """Stop accepting; who still waits is turned away."""
        self._transport.forget(self)
        while self._waiting:
            self._waiting.popleft().abort()

    def accept(self, stream: MemoryStream) -> None:
        """Tell whoever waits for streams; a stream that raises there is closed."""
        if self._paused:
            stream.pause_reading()
            self._waiting.append(stream)
            return
        try:
            self._opened(stream)
        except Exception as error:
            stream.refuse(error)


@implementer(ITransport)
class MemoryTransport(AsyncioTransport):
    """A provider without a system, on virtual time where `run` made the loop.

    TLS is pretended: both ends must ask for it, the scheme and the ALPN protocol say so, and bytes travel in the clear.

    Args:
        seed: of every decision taken here.
        latency: seconds from one end to the other.
        capacity: bytes on the way or unread before a writer feels it, each direction.
        faults: makes the weather of a new direction; called twice for each stream, towards the listener first.
        fills: streams can write content straight into its final object.

    Attributes:
        random: seeded source.
    """

    name = "memory"

    def __init__(
        self,
        *,
        seed: int = 0,
        latency: float = 0.0,
        capacity: int = CAPACITY,
        faults: Callable[[], Faults | None] | None = None,
        fills: bool = True,
    ) -> None:
        AsyncioTransport.__init__(self)
        self.now = self.loop.time
        self.sends_files = False
        self.random = Random(seed)
        self.latency = latency
        self.capacity = capacity
        self.faults = faults
        self.fills = fills
        self._listeners: dict[Any, MemoryListener] = {}
        self._ports = count(_FIRST_PORT)

    @classmethod
    def new_loop(cls) -> asyncio.AbstractEventLoop:
        """Return a loop on virtual time."""
        return VirtualClockLoop()

    @classmethod
    def run(cls, main: Callable[[Any], Coroutine[Any, Any, Any]], **options: Any) -> Any:
        """Create a loop on virtual time, run `main(transport)` in it and return its result.

        Args:
            main: gets a transport made with `options`.
        """

        async def begin() -> Any:
            return await main(cls(**options))

        with asyncio.Runner(loop_factory=cls.new_loop) as runner:
            return runner.run(begin())

    async def listen(self, binding: Binding, opened: Callable[[Stream], object]) -> MemoryListener:  # type: ignore[override]
        """Accept streams at an address of this network; every name is this machine's.

        Raises:
            BindingInvalid: the address is taken, or an inherited descriptor.
        """
        address: Any = binding.path
        if binding.fd is not None:
            raise BindingInvalid("a network in memory has no descriptors")
        if address is None:
            address = (binding.host, binding.port or next(self._ports))
        if address in self._listeners:
            raise BindingInvalid(f"cannot listen at {binding}: the address is taken")
        listener = MemoryListener(self, address, opened, secured=binding.tls is not None)
        self._listeners[address] = listener
        return listener

    def forget(self, listener: MemoryListener) -> None:
        """Connect nobody to `listener` any more."""
        if self._listeners.get(listener.address) is listener:
            del self._listeners[listener.address]

    async def connect(  # type: ignore[override]
        self, address: Any, opened: Callable[[Stream], object], *, tls: TLS | None = None
    ) -> MemoryStream:
        """Open a stream to an address that is listened at.

        Raises:
            ConnectFailed: nobody listens there, or only one side asks for TLS.
        """
        if not isinstance(address, str):
            address = tuple(address)
        await asyncio.sleep(2 * self.latency)
        listener = self._listeners.get(address)
        if listener is None:
            raise ConnectFailed(f"cannot reach {address}: nobody listens there")
        if listener.secured != (tls is not None):
            raise ConnectFailed(f"cannot reach {address}: one side asks for TLS and the other does not")
        return self._join(listener, opened)

    def _join(self, listener: MemoryListener, opened: Callable[[Stream], object]) -> MemoryStream:
        name = None if isinstance(listener.address, str) else ("127.0.0.1", next(self._ports))
        near = MemoryStream(self, name, listener.address)
        far = MemoryStream(self, listener.address, name)
        join(self.loop, near, far, self.latency, self.capacity)
        if self.faults is not None:
            near.outgoing.faults = self.faults()
            far.outgoing.faults = self.faults()
        if listener.secured:
            near.scheme = far.scheme = "https"
            near.alpn = far.alpn = "http/1.1"
        self.loop.call_soon(listener.accept, far)  # before anything that `opened` sends
        opened(near)
        return near

    async def dial(self, address: Any, *, tls: TLS | None = None) -> Peer:
        """Open a stream to play the other side of by hand.

        Raises:
            ConnectFailed: as `connect`.
        """
        made: list[Peer] = []
        await self.connect(address, lambda stream: made.append(Peer(stream)), tls=tls)
        return made[0]

    async def advance(self, seconds: float) -> None:
        """Let virtual time pass; everything that falls due meanwhile happens, in order."""
        await asyncio.sleep(seconds)
