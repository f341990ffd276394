"""A loop, a server, some hundred clients; afterwards nothing may be left."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import highper_http.server as server_module
from highper_core.connection import Connection
from highper_core.context import RequestContext
from highper_core.engines import Engine
from highper_core.limits import Limits
from highper_core.pool import ContextPool
from highper_core.state import Role
from highper_http import Server
from highper_transports.driver import Driver
from highper_transports.exchange import Exchange
from highper_transports.memory import MemoryStream, MemoryTransport

from .conversation import Conversation
from .ledger import Ledger
from .site import application, check_held

__all__ = ["CLIENTS", "run_world"]

CLIENTS = 126  # three for each pair of fault and phase
COUNTED = (Driver, Exchange, MemoryStream, RequestContext)


class World:
    """One run.

    Args:
        number: seeds the world; its clients' seeds follow from it.
        clients: how many.
    """

    def __init__(self, number: int, engines: list[str], clients: int = CLIENTS) -> None:
        random = Random(number)
        self.number = number
        self.clients = clients
        self.engine_name = engines[number % len(engines)]
        self.ledger = Ledger()
        self.held: list[tuple[Any, str]] = []
        self.running: dict[str, asyncio.Event] = {}
        self.contexts: list[ContextPool] = []
        self.made = 0
        self.limits = Limits(direct_content=random.choice((300, 3000, 65_536)))
        self.options = {
            "seed": number,
            "latency": random.choice((0.0, 0.0, 0.001, 0.03)),
            "capacity": random.choice((3000, 20_000, 65_536)),
            "fills": random.random() < 0.7,
        }

    async def main(self, transport: MemoryTransport) -> None:
        """Serve the clients, then look for what is left."""
        reported: list[dict[str, Any]] = []
        transport.loop.set_exception_handler(lambda loop, what: reported.append(what))
        site = application(self.ledger, self.held, self.running)
        server = Server(
            site, bind=["site:80"], transport="memory", engine=self.engine_name, limits=self.limits, access_log=False
        )
        await server.start(transport)
        first = self.number * self.clients
        async with asyncio.TaskGroup() as group:
            for seed in range(first, first + self.clients):
                client = Conversation(seed, transport, ("site", 80), self.ledger, self.running)
                group.create_task(client.run())
        await asyncio.sleep(8)
        self._check_pools(server)
        await server.finish()
        await asyncio.sleep(0)
        check_held(self.ledger, self.held)
        self._check_loop(transport)
        for what in reported:
            self._violated("an error reached the loop", what.get("exception") or what["message"])
        for token, times in self.ledger.begun.items():
            if times > 1:
                self._violated("a request was handled twice", token)
        self.ledger.begun.clear()

    def _check_pools(self, server: Server) -> None:
        service: Any = server._service
        if service.open:
            self._violated("streams are left", service.open)
        pool: list[Driver] = service._pool
        if len(set(map(id, pool))) != len(pool):
            self._violated("a driver is in its pool twice")
        if len(pool) != min(self.made, service._prepared) and not service.open:
            self._violated("the pool of drivers is out of balance", f"{len(pool)} of {self.made}")
        for driver in pool:
            connection = driver.connection
            if driver.exchanges or connection.unparsed or connection.data_to_send() or not connection.is_resting:
                self._violated("a buffer is left in a pooled driver")
        for contexts in self.contexts:
            if contexts.created != len(contexts) + contexts.abandoned + contexts.dropped:
                self._violated(
                    "the pool of contexts is out of balance",
                    (contexts.created, len(contexts), contexts.abandoned, contexts.dropped),
                )

    def _check_loop(self, transport: MemoryTransport) -> None:
        loop: Any = transport.loop
        if len(transport.timers):
            self._violated("deadlines are left", len(transport.timers))
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if tasks:
            self._violated("tasks are left", tasks)
        timers = [handle for handle in loop._scheduled if not handle.cancelled()]
        if timers:
            self._violated("timers are left", timers)

    def _violated(self, invariant: str, detail: object = "") -> None:
        self.ledger.violated(f"world {self.number}", invariant, detail)

    # Counting what the server makes

    def pool(self, *parts: Any) -> ContextPool:
        """Make the server's pool of contexts, and keep an eye on it."""
        made = ContextPool(*parts)
        self.contexts.append(made)
        return made

    def engine(self, find: Callable[[str], Engine]) -> Callable[[str], Engine]:
        """Count the connections that an engine makes."""

        def counting(name: str) -> Engine:
            engine = find(name)

            def made(role: Role, limits: Limits) -> Connection:
                self.made += 1
                return engine.http(role, limits)

            return Engine(engine.name, made)  # type: ignore[arg-type]

        return counting


def _counted() -> Counter[str]:
    """Return how many of the objects that a world must not leave behind there are."""
    gc.collect()
    return Counter(type(item).__name__ for item in gc.get_objects() if isinstance(item, COUNTED))


def run_world(number: int, engines: list[str], clients: int = CLIENTS) -> Ledger:
    """Run one world and return its account."""
    before = _counted()
    world = World(number, engines, clients)
    pool, find = server_module.ContextPool, server_module.find_engine
    server_module.ContextPool = world.pool if pool is ContextPool else pool  # type: ignore[assignment,misc]
    server_module.find_engine = world.engine(find)  # type: ignore[assignment]
    try:
        MemoryTransport.run(world.main, **world.options)
    except Exception as error:
        world.ledger.violated(f"world {number}", "the world came to an end", repr(error))
        del error
    finally:
        server_module.ContextPool = pool  # type: ignore[misc]
        server_module.find_engine = find
    ledger = world.ledger
    del world
    left = _counted() - before
    if left:
        ledger.violated(f"world {number}", "objects are left", dict(left))
    return ledger
