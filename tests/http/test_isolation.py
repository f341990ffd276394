"""Requests never see each other: not their locals, not their contextvars, not the objects a handler kept."""

from __future__ import annotations

import asyncio
import random
import struct
from contextvars import ContextVar
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import pytest
from support.providers import REAL_NAMES

from highper_core import _references
from highper_http import App, Server
from highper_transports.registry import transport as find_transport

CONNECTIONS = 24
PIPELINED = 8
ROUNDS = 6

token: ContextVar[str] = ContextVar("token", default="untouched")


def application(kept: list[Any], wrong: list[str]) -> App:
    app = App()

    def look(req: Any, expected: str, where: str) -> None:
        seen = (req.locals.token, token.get(), req.query("token"))
        if seen != (expected,) * 3:
            wrong.append(f"{where}: {seen} instead of {expected}")

    @app.use
    async def enter(req: Any, res: Any, next: Any) -> None:
        if len(req.locals) or token.get() != "untouched":
            wrong.append(f"a request began with {req.locals!r} and {token.get()}")
        own = req.query("token")
        req.locals.token = own
        token.set(own)
        try:
            await next()
        finally:
            look(req, own, "after")

    @app.get("/steps/:steps")
    async def work(req: Any, res: Any) -> None:
        own = req.query("token")
        for _ in range(int(req.param("steps"))):
            await asyncio.sleep(0)
            look(req, own, "between")
        if own.endswith("7"):
            kept.append((own, req, res, req.locals, req.context))
        res.text(own)

    @app.get("/inline", inline=True)
    def inline(req: Any) -> str:
        look(req, req.query("token"), "inline")
        return str(token.get())

    @app.get("/thread")
    def thread(req: Any) -> str:
        look(req, req.query("token"), "thread")
        return str(token.get())

    return app


async def converse(port: int, name: str, choose: random.Random, wrong: list[str]) -> int:
    """Send rounds of pipelined requests; sometimes reset in the middle. Return the answers seen."""
    answered = 0
    for turn in range(ROUNDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        tokens = [f"{name}-{turn}-{index}" for index in range(PIPELINED)]
        for own in tokens:
            path = choose.choice(["/steps/0", "/steps/1", "/steps/5", "/inline", "/thread"])
            writer.write(f"GET {path}?token={own} HTTP/1.1\r\nhost: a\r\n\r\n".encode())
            if choose.random() < 0.3:
                await asyncio.sleep(0)
        for own in tokens[: choose.randrange(2, PIPELINED + 1)]:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            content = (await reader.readexactly(length)).decode()
            answered += 1
            if content != own:
                wrong.append(f"{content} answered {own}")
        if choose.random() < 0.5:  # a reset, while the rest may be running
            writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        writer.close()
    return answered


@pytest.mark.parametrize("provider", REAL_NAMES)
def test_concurrent_requests_are_isolated(provider: str) -> None:
    """Keep-alive, pipelined, reset: every handler sees its own locals and contextvars, and answers its own request."""
    kept: list[Any] = []
    wrong: list[str] = []

    async def main(transport: Any) -> int:
        async with Server(application(kept, wrong), port=0, transport=provider, access_log=False) as server:
            talks = [converse(server.port, f"c{index}", random.Random(index), wrong) for index in range(CONNECTIONS)]
            return sum(await asyncio.gather(*talks))

    answered = find_transport(provider).run(main)
    assert wrong == []
    assert answered > CONNECTIONS * ROUNDS
    assert kept


def test_kept_objects_never_show_another_request() -> None:
    """A request, response, locals or context that a handler kept is never reused while it is held."""
    kept: list[Any] = []
    wrong: list[str] = []

    async def main(transport: Any) -> None:
        async with Server(application(kept, wrong), port=0, access_log=False) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            for index in range(400):
                writer.write(f"GET /steps/0?token=t{index} HTTP/1.1\r\nhost: a\r\n\r\n".encode())
                await reader.readuntil(f"\r\n\r\nt{index}".encode())
            writer.close()

    find_transport("asyncio").run(main)
    assert wrong == []
    assert len(kept) == 40
    for part in range(1, 5):
        assert len({id(record[part]) for record in kept}) == len(kept)
    assert [record[1].query("token") for record in kept] == [record[0] for record in kept]
    assert [record[3].token for record in kept] == [record[0] for record in kept]
    for record in kept:
        with pytest.raises(Exception, match=r"\w"):
            record[2].text("too late")


@pytest.mark.skipif(str(_references.__file__).endswith(".py"), reason="the guard is not built, so nothing is reused")
@pytest.mark.parametrize("provider", REAL_NAMES)
def test_records_are_reused_while_the_tasks_of_their_requests_still_stand(provider: str) -> None:
    """A handler that waited leaves its record as free as one that did not: no task that has ended holds it."""
    app = App()

    @app.get("/")
    async def wait(req: Any) -> str:
        await asyncio.sleep(0)
        return "a"

    async def ask(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(ROUNDS):
            writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            await reader.readuntil(b"\r\n\r\na")
        writer.close()

    async def main(transport: Any) -> dict[str, int]:
        async with Server(app, port=0, transport=provider, access_log=False) as server:
            await asyncio.gather(*(ask(server.port) for _ in range(CONNECTIONS)))
            return server.statistics()["contexts"]

    contexts = find_transport(provider).run(main)
    assert contexts["abandoned"] == 0
    assert contexts["reused"] >= CONNECTIONS * (ROUNDS - 1)


@pytest.mark.parametrize("provider", REAL_NAMES)
def test_a_cancelled_request_leaves_nothing_behind(provider: str) -> None:
    """A disconnect cancels the handler in its own context; the next request begins with clean ones."""
    began: list[str] = []
    ended: list[str] = []
    app = App()

    @app.get("/hang")
    async def hang(req: Any) -> None:
        began.append(token.get())
        token.set("hanging")
        req.locals.token = "hanging"
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(token.get())

    async def main(transport: Any) -> None:
        async with Server(app, port=0, transport=provider, access_log=False) as server:
            for _ in range(20):
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(b"GET /hang HTTP/1.1\r\nhost: a\r\n\r\n")
                for _ in range(200):
                    await asyncio.sleep(0.001)
                    if len(began) > len(ended):
                        break
                writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                for _ in range(2000):
                    if len(began) == len(ended):
                        break
                    await asyncio.sleep(0.001)

    find_transport(provider).run(main)
    assert began == ["untouched"] * 20
    assert ended == ["hanging"] * 20
