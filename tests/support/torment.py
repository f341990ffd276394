"""A conversation in which every call to the system can be made to fail, and how nothing is left of it is told."""

from __future__ import annotations

import asyncio
import gc
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from highper_http import App, Server

__all__ = ["application", "converse", "descriptors", "settled"]

PIECES = 20


def application() -> App:
    app = App()

    @app.get("/plain")
    async def plain(req: Any) -> str:
        return "plain"

    @app.post("/length")
    async def length(req: Any) -> str:
        return str(len(await req.body()))

    @app.get("/pieces")
    async def pieces(req: Any, res: Any) -> None:
        async with res.stream() as send:
            for _ in range(PIECES):
                await send(b"x" * 1000)
                await asyncio.sleep(0)

    return app


async def converse(port: int, context: ssl.SSLContext | None) -> int:
    """Hold the conversation, on one connection and then with a refusal on another; return the bytes of content seen."""
    async with connection(port, context) as (reader, writer):
        writer.write(b"GET /plain HTTP/1.1\r\nhost: a\r\n\r\n")
        await reader.readuntil(b"\r\n\r\nplain")
        writer.write(b"POST /length HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\n")
        await asyncio.sleep(0.001)
        writer.write(b"abc\r\n0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n3")
        writer.write(b"GET /pieces HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        length = len(await reader.read())
    async with connection(port, context) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\n\n")
        refusal = await reader.read()
        assert refusal.startswith(b"HTTP/1.1 400 ") or not refusal
    return length + len(refusal)


@asynccontextmanager
async def connection(
    port: int, context: ssl.SSLContext | None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    hostname = "localhost" if context else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=hostname)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError, ssl.SSLError):
            await writer.wait_closed()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def settled(server: Server, expected: int) -> None:
    """Wait until every stream of the server is gone and no descriptor beyond `expected` is open."""
    assert server._service is not None
    for turn in range(400):
        if turn % 20 == 10:
            gc.collect()
        if not server._service.open and descriptors() <= expected and len(asyncio.all_tasks()) == 1:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"left: {server._service.open} {descriptors() - expected} {asyncio.all_tasks()}")
