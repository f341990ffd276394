"""The epoll provider on a kernel whose calls fail, are interrupted or do little, as a test decides."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from highper_transports.epoll import EpollTransport
from highper_transports.epoll._scripted import ScriptedKernel
from highper_transports.epoll.loop import EpollLoop
from highper_transports.sockets import Binding
from highper_transports.stream import Stream
from highper_transports.testing import Recorder

MANY_TURNS = 200  # more than a loop that waits makes in a few milliseconds of a few timers


class Script:
    """Decides about faults: a negative number is the error a call ends with, a positive one the most it may do.

    Attributes:
        plan: by call, what its next uses end with; None where one is let be.
        always: by call, what it ends with from then on.
        calls: how often each was asked for.
        used: calls and their descriptors, in order.
    """

    def __init__(self) -> None:
        self.plan: dict[str, list[int | None]] = {}
        self.always: dict[str, int] = {}
        self.calls: Counter[str] = Counter()
        self.used: list[tuple[str, int]] = []

    def call(self, name: str, fd: int, amount: int) -> int:
        self.calls[name] += 1
        self.used.append((name, fd))
        planned = self.plan.get(name)
        verdict = planned.pop(0) if planned else self.always.get(name)
        return amount if verdict is None else min(amount, verdict)

    def accepted(self, fd: int) -> None:
        pass

    def strays(self, kernel: ScriptedKernel) -> list[tuple[int, int, int]]:
        return []


class Shaky(Script):
    """Interrupts, postpones and shortens at random."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = Random(seed)

    def call(self, name: str, fd: int, amount: int) -> int:
        if name in ("recv", "send", "sendmsg", "sendfile", "wait", "accept") and self.random.random() < 0.3:
            if name == "wait":
                return -errno.EINTR
            if name == "accept" or self.random.random() < 0.5:
                return -self.random.choice((errno.EINTR, errno.EAGAIN))
            return min(amount, self.random.choice((1, 7, 4096, 50_000)))
        return amount


def provider(script: Script) -> Any:
    """Return the provider on a kernel with faults."""

    class Faulty(EpollTransport):
        @classmethod
        def new_loop(cls) -> asyncio.AbstractEventLoop:
            return EpollLoop(ScriptedKernel(script))

    return Faulty


def play(main: Callable[[Any, Script], Coroutine[Any, Any, Any]]) -> list[dict[str, Any]]:
    """Run `main(transport, script)`; return what the loop's exception handler was told."""
    script = Script()
    told: list[dict[str, Any]] = []

    async def begin(transport: Any) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
        async with asyncio.timeout(30):
            await main(transport, script)
        assert transport.poller.kernel.error is None

    provider(script).run(begin)
    return told


async def until(predicate: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not predicate():
            await asyncio.sleep(0.001)


async def pair(transport: Any, opened: Callable[[Stream], object] = Recorder) -> tuple[socket.socket, list[Any]]:
    """Return a plain socket, and what `opened` made of its other end, in a list."""
    far: list[Any] = []
    listener = await transport.listen(Binding(host="127.0.0.1"), lambda stream: far.append(opened(stream)))
    peer = socket.create_connection(listener.address)
    peer.settimeout(10)
    await until(lambda: far)
    listener.close()
    return peer, far
