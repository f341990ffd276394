"""Applications with WebSockets, served over any provider, and their clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from highper_core import Limits
from highper_http import App, Server, WebSocket
from highper_http.websocket.connecting import Connecting, connect
from highper_transports.memory import Peer

__all__ = ["PATIENT", "Served", "UPGRADE", "dial", "echoing", "served"]

UPGRADE = (
    b"GET %s HTTP/1.1\r\nhost: site.example\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n"
)
PATIENT = Limits(websocket_ping_interval=None)


class Served:
    """A server that runs, and how to reach it."""

    def __init__(self, transport: Any, server: Server, engine: str) -> None:
        self.transport = transport
        self.server = server
        self.engine = engine

    @property
    def address(self) -> Any:
        return self.server.addresses[0]

    def socket(self, path: str, **options: Any) -> Connecting:
        """Open a WebSocket by our own client."""
        options.setdefault("limits", PATIENT)
        url = f"ws://site.example{path}"
        return connect(url, address=self.address, transport=self.transport, engine=self.engine, **options)

    async def settle(self) -> None:
        """Let what is under way come to its end: no stream is open, and no handler runs."""
        async with asyncio.timeout(20):
            while self.server._service.open or self.server._site.tasks:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def served(transport: Any, app: App, engine: str = "auto", **options: Any) -> AsyncIterator[Served]:
    """Serve an application in the running loop."""
    options = {"access_log": False, "drain": 5.0} | options
    server = Server(app, port=0, engine=engine, **options)
    await server.start(transport)
    try:
        yield Served(transport, server, engine)
    finally:
        await server.finish()


async def dial(site: Served) -> Peer:
    """Open a stream to play the client by hand."""
    made: list[Peer] = []
    await site.transport.connect(site.address, lambda stream: made.append(Peer(stream)))
    return made[0]


def echoing() -> App:
    """An application that echoes messages at `/echo`."""
    app = App()

    @app.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        async for message in socket:
            if isinstance(message, str):
                await socket.send_text(message)
            else:
                await socket.send_bytes(message)

    return app
