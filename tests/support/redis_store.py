"""A real Redis that a test may stop, freeze and start again, and hubs that meet there."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import redis
from http_command import free_port
from support.subscribers import Collector

from highper_http.hub import Hub
from highper_http.hub.redis import RedisBus
from highper_http.websocket.backoff import Backoff

__all__ = ["QUICK", "Store", "joined", "store", "two_hubs", "until"]

QUICK = Backoff(0.05, 1.0, 0.05)


class Store:
    """A Redis that can be stopped, frozen and started again at the same port."""

    def __init__(self, program: str, folder: Path) -> None:
        self.port = free_port()
        command = [program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--dir", str(folder)]
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("Redis does not start")

    def stop(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def cut_everybody_off(self) -> None:
        with redis.Redis(port=self.port) as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")

    def bus(self, **options: Any) -> RedisBus:
        return RedisBus(f"redis://127.0.0.1:{self.port}/0", **{"backoff": QUICK} | options)


@pytest.fixture
def store(tool: Callable[[str], str], tmp_path: Path) -> Iterator[Store]:
    """A Redis of this test's own."""
    store = Store(tool("redis-server"), tmp_path)
    store.start()
    yield store
    store.stop()


def two_hubs(provider: Any, store: Store, main: Callable[[Hub, Hub], Awaitable[None]], **options: Any) -> None:
    """Run `main` with two hubs, as two processes have them."""

    async def whole(transport: object) -> None:
        bus = options.pop("bus", {})
        async with Hub(store.bus(**bus), **options) as one, Hub(store.bus(**bus), **options) as other:
            with anyio.fail_after(60):
                await main(one, other)

    provider.run(whole)


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not condition():
            await anyio.sleep(0.01)


async def joined(hub: Hub, topic: str = "room", **options: Any) -> Collector:
    collector = Collector(**options)
    hub.join(collector, topic)
    await hub.settled(topic)
    return collector
