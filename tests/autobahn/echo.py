"""An echo server and an echo client, for the Autobahn suite to judge: an application's route, and `connect`.

Usage: python tests/autobahn/echo.py server [options]
       python tests/autobahn/echo.py client [options] --port PORT --agent NAME
       options: --engine E, --transport T, --style coroutine|listener, --deflate

Text goes back as text, bytes as bytes, up to 64 MiB. The server prints the port it listens on. The client asks how many
cases there are, runs each, and asks for the report.
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress
from typing import Any

from highper_core.limits import Limits
from highper_core.permessage_deflate import DeflateSettings
from highper_http import App, Server, WebSocket, WebSocketClosed, WebSocketListener, connect
from highper_http.websocket import ListenedSocket
from highper_transports import registry

# what is under way when a case ends may be as much as the largest message
LIMITS = Limits(websocket_message=64 << 20, websocket_ping_interval=None, websocket_send_queue=64 << 20)
# what the suite asks for it gets: contexts are kept unless it does not want that
DEFLATE = DeflateSettings(server_no_context_takeover=False, client_no_context_takeover=False, memory=1 << 20)


async def echo(socket: WebSocket) -> None:
    """Send back what comes until the end, clean or not."""
    with suppress(WebSocketClosed):
        async for message in socket:
            if isinstance(message, str):
                await socket.send_text(message)
            else:
                await socket.send_bytes(message)


class Echo(WebSocketListener):
    """The same by callbacks."""

    def on_message(self, socket: ListenedSocket, message: str | bytes) -> None:
        socket.try_send(message)


async def accepted(socket: WebSocket) -> None:
    """Accept, and echo."""
    await socket.accept()
    await echo(socket)


async def serve(transport: Any, engine: str, style: str, deflate: DeflateSettings | None) -> None:
    """Serve until the process is ended."""
    app = App(limits=LIMITS)
    app.websocket("/", deflate=deflate)(Echo if style == "listener" else accepted)
    server = Server(app, port=0, engine=engine, access_log=False)
    await server.start(transport)
    print(server.port, flush=True)
    await asyncio.Event().wait()


async def ask(transport: Any, engine: str, port: int, agent: str, deflate: DeflateSettings | None) -> None:
    """Run every case of a fuzzing server."""
    place = f"ws://127.0.0.1:{port}"
    options: dict[str, Any] = {"transport": transport, "engine": engine, "limits": LIMITS}
    async with connect(f"{place}/getCaseCount", **options) as socket:
        count = int(await socket.receive_text())
    for case in range(1, count + 1):
        async with connect(f"{place}/runCase?case={case}&agent={agent}", deflate=deflate, **options) as socket:
            await echo(socket)
    async with connect(f"{place}/updateReports?agent={agent}", **options):
        pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("side", choices=["server", "client"])
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--transport", default="auto")
    parser.add_argument("--style", choices=["coroutine", "listener"], default="coroutine")
    parser.add_argument("--deflate", action="store_true")
    parser.add_argument("--port", type=int)
    parser.add_argument("--agent", default="highper")
    given = parser.parse_args()
    agreed = DEFLATE if given.deflate else None
    provider = registry.transport(given.transport)
    if given.side == "server":
        provider.run(lambda transport: serve(transport, given.engine, given.style, agreed))
    else:
        provider.run(lambda transport: ask(transport, given.engine, given.port, given.agent, agreed))
