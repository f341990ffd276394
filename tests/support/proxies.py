"""Servers behind proxies: what proxies send, a client's raw end, and an application that says whom it sees."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from highper_http import App, Request, Server
from highper_transports import StreamBroken, registry
from highper_transports.memory import MemoryTransport

__all__ = ["BINARY", "CLIENT", "GET", "LINE", "LOCAL", "OVER_TLS", "Wire", "build", "dial", "provider", "serving"]

LINE = b"PROXY TCP4 203.0.113.7 198.51.100.1 52110 443\r\n"
BINARY = (
    b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"
    + bytes([203, 0, 113, 7, 198, 51, 100, 1])
    + struct.pack("!HH", 52110, 443)
)
LOCAL = b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
OVER_TLS = BINARY[:14] + b"\x00\x14" + BINARY[16:] + b"\x20\x00\x05\x01\x00\x00\x00\x00"
GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
CLIENT = {"client": ["203.0.113.7", 52110], "server": ["198.51.100.1", 443], "scheme": "http", "host": "a"}


def build() -> App:
    """An application that tells at `/` whom it sees, and as what it was asked."""
    app = App()

    @app.get("/")
    async def index(req: Request) -> dict[str, object]:
        return {"client": req.client, "server": req.server, "scheme": req.scheme, "host": req.host}

    return app


@pytest.fixture(params=["asyncio", "uvloop", "epoll", "memory"])
def provider(request: pytest.FixtureRequest) -> Any:
    """A transport's class: the test runs once with each that can run here."""
    reason = registry.why_not(request.param)
    if reason is not None:
        pytest.skip(reason)
    return registry.transport(request.param)


class Wire:
    """A client's raw end, over any provider."""

    def __init__(self, send: Any, receive: Any, close: Any) -> None:
        self.send, self.receive, self.close = send, receive, close

    async def ask(self, count: int = 1) -> list[Any]:
        """Return the content of the next answers."""
        data, found = b"", []
        while len(found) < count:
            piece = await self.receive()
            assert piece, f"the stream ended after {data!r}"
            data += piece
            while (end := data.find(b"}", data.find(b"\r\n\r\n"))) > 0:
                found.append(orjson.loads(data[data.index(b"{") : end + 1]))
                data = data[end + 1 :]
        return found

    async def is_turned_away(self) -> bool:
        try:
            return await self.receive() == b""
        except (ConnectionError, StreamBroken):
            return True


async def dial(transport: Any, address: Any) -> Wire:
    """Open a stream."""
    if isinstance(transport, MemoryTransport):
        peer = await transport.dial(address)

        async def receive() -> bytes:
            data: bytes = await peer.receive()
            return data

        return Wire(peer.send, receive, peer.close)
    reader, writer = await (
        asyncio.open_unix_connection(address) if isinstance(address, str) else asyncio.open_connection(*address)
    )
    return Wire(writer.write, lambda: reader.read(65536), writer.close)


def serving(provider: Any, main: Callable[[Any, Server], Awaitable[None]], **options: Any) -> None:
    """Run `main` beside a server, and see that nothing of it is left."""
    options.setdefault("trusted_proxies", "127.0.0.0/8")
    options.setdefault("host", "127.0.0.1")
    options.setdefault("port", 0)

    async def run(transport: Any) -> None:
        server = Server(build(), proxy_protocol=True, access_log=False, **options)
        await server.start(transport)
        try:
            await asyncio.wait_for(main(transport, server), 60)
        finally:
            await server.finish()
        assert server._service is not None
        assert server._service.open == 0
        assert server._service.awake == {}

    provider.run(run)
