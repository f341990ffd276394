"""A loop, a server on a kernel that lies, some clients; afterwards it tells the truth, and nothing may be left."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import struct
import tempfile
from collections.abc import Callable
from random import Random
from typing import Any

from simulation.ledger import Ledger
from simulation.site import application

from highper_core.limits import Limits
from highper_http import Server
from highper_transports.epoll import EpollTransport
from highper_transports.epoll._scripted import ScriptedKernel
from highper_transports.epoll.loop import EpollLoop

from .client import FILE, Client
from .script import Script

__all__ = ["World"]

CLIENTS = 12
IDLE = 1000  # turns in a row that may bring events and do nothing with them
QUIET = 20  # turns in a tenth of a second in which nothing happens


class World:
    """One run.

    Args:
        seed: of everything in it.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.script = Script(Random(self.random.random()))
        self.kernel = ScriptedKernel(self.script)
        self.embedded = self.random.random() < 0.3
        self.ledger = Ledger()
        self.reported: list[Any] = []

    def run(self) -> Ledger:
        """Run it in a loop of its own and return its account."""
        before = _descriptors()
        loop: Any = asyncio.SelectorEventLoop() if self.embedded else EpollLoop(self.kernel)
        try:
            loop.run_until_complete(self._main())
            loop.run_until_complete(loop.shutdown_default_executor())
        except Exception as error:
            self.violated("the world came to an end", repr(error))
        finally:
            loop.close()
        if left := _descriptors() - before:
            self.violated("descriptors are left", sorted(left))
        if self.kernel.error is not None:
            self.violated("the script failed", repr(self.kernel.error))
        if self.script.most_idle > IDLE:
            self.violated("turns that did nothing", self.script.most_idle)
        return self.ledger

    async def _main(self) -> None:
        loop: Any = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, what: self.reported.append(what.get("exception") or what["message"]))
        transport = EpollTransport(self.kernel) if self.embedded else EpollTransport()
        app = application(self.ledger, [], {})
        with tempfile.NamedTemporaryFile() as file:
            file.write(FILE)
            file.flush()

            @app.get("/file/:token")
            async def whole(req: Any, res: Any) -> None:
                res.file(file.name)

            limits = Limits(
                direct_content=self.random.choice((300, 65_536)), write_high_water=8192, write_low_water=2048
            )
            server = Server(app, host="127.0.0.1", port=0, access_log=False, limits=limits)
            await server.start(transport)
            try:
                await self._play(server, transport)
            finally:
                await server.finish()
        await self._look_around(server, transport)

    async def _play(self, server: Server, transport: EpollTransport) -> None:
        address = server.addresses[0]
        self.script.calm = False
        await asyncio.gather(*(Client(self, address, f"{self.seed}-{number}").run() for number in range(CLIENTS)))
        self.script.calm = True
        last = Client(self, address, f"{self.seed}-last")
        await last.converse("pipeline")
        await self._stay_quiet(server, address)

    async def _stay_quiet(self, server: Server, address: Any) -> None:
        """With one connection at rest, one whose client takes nothing, and perhaps has ended its side: no turns."""
        loop = asyncio.get_running_loop()
        idle, full = socket.socket(), socket.socket()
        with idle, full:
            for each in (idle, full):
                each.setblocking(False)
                each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                await loop.sock_connect(each, address)
            asking = b"GET /drip/%d-full?size=6000 HTTP/1.1\r\nhost: a\r\n\r\n" % self.seed
            full.send(asking + asking)
            if self.random.random() < 0.5:
                full.shutdown(socket.SHUT_WR)
            before = -1
            for _ in range(100):  # until everything that fits has been written
                if self.script.turns - before <= QUIET:
                    break
                before = self.script.turns
                await asyncio.sleep(0.1)
            else:
                self.violated("it spins beside connections that are quiet", self.script.turns - before)
            full.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.ledger.begun[f"{self.seed}-full"] = 0
        await self._until(lambda: not server._service.open, "streams are left")  # type: ignore[union-attr]

    async def _look_around(self, server: Server, transport: EpollTransport) -> None:
        loop: Any = asyncio.get_running_loop()
        service: Any = server._service
        await asyncio.sleep(0)
        if service.open or service.awake:
            self.violated("streams are counted", (service.open, len(service.awake)))
        records = transport.poller.records
        if records.open or records.resting:
            self.violated("records are left", (records.open, records.resting))
        if len(transport.timers):
            self.violated("deadlines are left", len(transport.timers))
        if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            self.violated("tasks are left", tasks)
        await self._until(lambda: _timers(loop) <= 1, "timers are left")  # one for records at rest may be ahead
        for error in self.reported:
            self.violated("an error reached the loop", repr(error))
        for token, times in self.ledger.begun.items():
            if times > 1 and not token.endswith("-full"):
                self.violated("a request was handled twice", token)
        self.ledger.begun.clear()

    async def _until(self, holds: Callable[[], bool], invariant: str) -> None:
        for _ in range(400):
            if holds():
                return
            await asyncio.sleep(0.01)
        self.violated(invariant)

    def violated(self, invariant: str, detail: object = "") -> None:
        """Note a broken invariant."""
        self.ledger.violated(self.seed, invariant, detail)


def _timers(loop: Any) -> int:
    return sum(not handle.cancelled() for handle in loop._scheduled)


def _descriptors() -> set[str]:
    gc.collect()
    names = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            names.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
        except OSError:  # the one that lists
            continue
    return names
