"""A site of our own TLS streams, in either loop, and a fixture that plays scenes on it."""

from __future__ import annotations

import asyncio
import gc
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.tls_peer import TlsPeer

from highper_transports.asyncio import AsyncioTransport
from highper_transports.epoll import EpollTransport
from highper_transports.sockets import Binding
from highper_transports.stream import Receiver, Stream
from highper_transports.testing import Recorder
from highper_transports.tls import TLS

__all__ = ["Play", "Site", "needs_epoll", "play", "secured_objects"]

needs_epoll = pytest.mark.skipif(EpollTransport.unavailable() is not None, reason="epoll is not here")
Play = Callable[["Site"], Awaitable[None]]


class Site:
    """Listens with TLS. Streams rest when they are opened, unless `receives`."""

    def __init__(self, transport: Any, tls: tuple[TLS, TLS], *, receives: bool = False, deadline: float = math.inf):
        self.transport = transport
        self.server, self.client = tls
        self.receives = receives
        self.deadline = deadline
        self.calls: list[str] = []
        self.made: list[Recorder] = []

    def opened(self, stream: Stream) -> None:
        self.calls.append("opened")
        if self.receives:
            self.made.append(Recorder(stream))
        else:
            stream.owner = self
            stream.rest(self.transport.now() + self.deadline)

    def wake(self, stream: Stream) -> Receiver:
        self.calls.append("wake")
        self.made.append(Recorder(stream))
        return self.made[-1]

    def lost(self, stream: Stream) -> None:
        self.calls.append("lost")

    def lost_at_rest(self, count: int) -> None:
        self.calls.append("lost at rest")

    async def peer(self) -> TlsPeer:
        """Return a peer whose handshake is done."""
        count = len(self.calls)
        peer = await TlsPeer.connected(self.address, self.client)
        await self.until(lambda: len(self.calls) > count)
        return peer

    async def until(self, predicate: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not predicate():
                await asyncio.sleep(0.001)

    @property
    def open(self) -> int:
        return int(self.transport.poller.statistics()["open"])


@asynccontextmanager
async def listening(site: Site, **changes: Any) -> AsyncIterator[Site]:
    server = TLS(site.server.context, **changes) if changes else site.server
    listener = await site.transport.listen(Binding(host="127.0.0.1", tls=server), site.opened)
    site.address = listener.address
    try:
        yield site
    finally:
        listener.close()
        site.transport.rest.abort(site)
        for recorder in site.made:
            recorder.stream.abort()
        await site.until(lambda: site.open == 0)


class Embedded(EpollTransport):
    """The same in a loop that is asyncio's own."""

    @classmethod
    def new_loop(cls) -> asyncio.AbstractEventLoop:
        return AsyncioTransport.new_loop()


@pytest.fixture(params=[EpollTransport, Embedded], ids=["own-loop", "embedded"])
def play(request: pytest.FixtureRequest, secured: tuple[TLS, TLS]) -> Callable[..., None]:
    """Run a scene on a site; whatever reached the loop's exception handler is a failure."""

    def run(scene: Play, *, receives: bool = False, deadline: float = math.inf, **changes: Any) -> None:
        reported: list[dict[str, Any]] = []

        async def main(transport: Any) -> None:
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
            async with listening(Site(transport, secured, receives=receives, deadline=deadline), **changes) as site:
                await scene(site)

        request.param.run(main)
        assert reported == []

    return run


def secured_objects() -> list[Any]:
    """Return the streams and sessions there are."""
    ours = ("highper_transports.epoll._secure", "highper_transports.epoll._session")
    return [item for item in gc.get_objects() if type(item).__module__ in ours]
