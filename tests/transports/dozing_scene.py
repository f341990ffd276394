"""Streams that doze, on a kernel that may lie about them, and the peers that wake them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from math import inf
from typing import Any

import pytest
from zope.interface import implementer

from highper_transports.epoll import EpollTransport
from highper_transports.epoll._scripted import ScriptedKernel
from highper_transports.epoll.loop import EpollLoop
from highper_transports.interfaces import IStreamOwner
from highper_transports.sockets import Binding
from highper_transports.stream import Receiver, Stream

EPOLLIN = 1


class Script:
    """Decides about faults, and about events that nobody caused.

    Attributes:
        recv, send: what the next calls end with; a positive number is the most they may do.
        lies: events that the set tells besides its own, once.
    """

    def __init__(self) -> None:
        self.recv: list[int] = []
        self.send: list[int] = []
        self.lies: list[tuple[int, int, int]] = []

    def call(self, name: str, fd: int, amount: int) -> int:
        planned = {"recv": self.recv, "send": self.send}.get(name)
        return min(amount, planned.pop(0)) if planned else amount

    def accepted(self, fd: int) -> None:
        pass

    def strays(self, kernel: ScriptedKernel) -> list[tuple[int, int, int]]:
        lies, self.lies = self.lies, []
        return lies


class Kept(Receiver):
    """Remembers what it is told; does `act` then."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.data = b""
        self.told: list[str] = []
        self.error: BaseException | None = None
        self.act: Callable[[str], object] = lambda call: None
        stream.receiver = self

    def _note(self, call: str) -> None:
        self.told.append(call)
        self.act(call)

    def received(self, data: bytes, now: float) -> None:
        self.data += data
        self._note("received")

    def ended(self) -> None:
        self._note("ended")

    def lost(self, error: BaseException | None) -> None:
        self.error = error
        self._note("lost")

    def expired(self, now: float) -> None:
        self._note("expired")

    def woken(self, stream: Stream) -> None:
        self.stream = stream
        self._note("woken")


@implementer(IStreamOwner)
class Owner:
    """Lets every stream wake, and doze at once where a test asks for it."""

    def __init__(self) -> None:
        self.kept: list[Kept] = []
        self.awake: set[Stream] = set()
        self.ended = 0

    def opened(self, stream: Stream) -> None:
        stream.owner = self
        stream.rest(inf)

    def wake(self, stream: Stream) -> Receiver:
        self.awake.add(stream)
        self.kept.append(Kept(stream))
        return self.kept[-1]

    def lost(self, stream: Stream) -> None:
        self.awake.remove(stream)
        self.ended += 1

    def lost_at_rest(self, count: int) -> None:
        self.ended += count

    def dozed(self, stream: Stream) -> None:
        self.awake.remove(stream)

    def roused(self, stream: Stream) -> None:
        self.awake.add(stream)


class Scene:
    """A transport on a kernel with faults, and peers of streams that doze there."""

    def __init__(self, transport: Any, script: Script) -> None:
        self.transport = transport
        self.script = script
        self.owner = Owner()
        self.peers: list[socket.socket] = []

    async def dozer(self, deadline: float = inf) -> tuple[socket.socket, Kept, int]:
        """Return a peer, the receiver that is kept for it, and its descriptor."""
        listener = await self.transport.listen(Binding(host="127.0.0.1"), self.owner.opened)
        peer = socket.create_connection(listener.address)
        peer.settimeout(10)
        self.peers.append(peer)
        count = len(self.owner.kept)
        peer.sendall(b"a")
        await until(lambda: len(self.owner.kept) > count)
        listener.close()
        kept = self.owner.kept[-1]
        kept.told.clear()
        kept.data = b""
        place = kept.stream.doze(deadline)
        assert place >= 0
        return peer, kept, place


async def until(predicate: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not predicate():
            await asyncio.sleep(0.001)


@pytest.fixture
def play() -> Callable[[Callable[[Scene], Coroutine[Any, Any, None]]], list[dict[str, Any]]]:
    """Run `main(scene)`; return what the loop's exception handler was told. Nothing is left open behind it."""

    def start(main: Callable[[Scene], Coroutine[Any, Any, None]]) -> list[dict[str, Any]]:
        script = Script()
        told: list[dict[str, Any]] = []

        class Lying(EpollTransport):
            @classmethod
            def new_loop(cls) -> asyncio.AbstractEventLoop:
                return EpollLoop(ScriptedKernel(script))

        async def begin(transport: Any) -> None:
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
            scene = Scene(transport, script)
            async with asyncio.timeout(30):
                await main(scene)
            transport.rest.rouse(scene.owner)
            for stream in list(scene.owner.awake):
                stream.abort()
            await until(lambda: not transport.poller.statistics()["open"])
            for peer in scene.peers:
                peer.close()
            assert not scene.owner.awake
            assert not len(transport.timers)
            assert transport.poller.kernel.error is None

        Lying.run(begin)
        return told

    return start


Play = Callable[[Callable[[Scene], Coroutine[Any, Any, None]]], list[dict[str, Any]]]
