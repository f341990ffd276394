"""The epoll transport over a kernel that makes errors, short counts and events up; `fuzz/kernel.py` runs more of it."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from highper_transports import registry

if registry.why_not("epoll") is not None:
    pytest.skip("the epoll transport cannot run here", allow_module_level=True)

from lying.script import Script
from lying.world import World

from highper_http import Request, Server
from highper_transports.epoll import EpollTransport
from highper_transports.epoll._scripted import ScriptedKernel
from highper_transports.epoll.loop import EpollLoop


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("seed", [0, 4, 111])
def test_no_lie_breaks_an_invariant(seed: int) -> None:
    """Answers whole and in order where nothing broke the connection, no spin, nothing left, the next one served."""
    world = World(seed)
    assert world.run().violations == []
    assert world.ledger.requests > 0


def test_a_broken_connection_is_noticed() -> None:
    """The oracles see: errors that end connections and are owned up to by nobody."""
    world = World(4)
    world.script.fatal = 0.1
    world.script.doomed = _Forgetful()
    assert any("that nobody broke" in line for line in world.run().violations)


class _Forgetful(set[int]):
    def add(self, port: int) -> None:
        """Remember nothing."""


class _Scarce(Script):
    """No descriptor for the first connection, and no room in the set for the listener that comes back."""

    def __init__(self) -> None:
        super().__init__(Random(0))
        self.left = {"accept": errno.EMFILE, "watch": errno.ENOSPC}
        self.waiting = False

    def call(self, name: str, fd: int, amount: int) -> int:
        """Fail once each, once the listener waits."""
        return -self.left.pop(name) if self.waiting and name in self.left else amount


def test_a_listener_that_finds_no_room_when_it_returns_tries_again() -> None:
    """One shortage after another makes it late, not deaf."""
    script = _Scarce()

    async def home(req: Request) -> str:
        return "here"

    async def main() -> bytes:
        server = Server(home, host="127.0.0.1", port=0, access_log=False)
        await server.start(EpollTransport())
        script.waiting = True
        address: Any = server.addresses[0]
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        await server.finish()
        return answer

    loop = EpollLoop(ScriptedKernel(script))
    try:
        assert loop.run_until_complete(main()).endswith(b"here")
    finally:
        loop.close()
    assert script.left == {}
