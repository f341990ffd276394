"""Open WebSockets and end them in every way; say what the process holds at an early and at a late count.

    python tests/leaks/sockets.py --transport epoll --early 20000 --late 100000

Server and clients are in one process, so that neither can leak unseen. Prints one line of JSON, as soak.py does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
from collections import Counter
from typing import Any

from soak import snapshot

from highper_core.errors import RemoteProtocolError
from highper_core.permessage_deflate import DeflateSettings
from highper_http import App, Server, WebSocket, WebSocketClosed, WebSocketListener, connect
from highper_http.websocket import ListenedSocket
from highper_transports.errors import TransportError
from highper_transports.registry import transport as find_transport
from highper_transports.stream import Receiver

TOGETHER = 20
DEFLATE = DeflateSettings()

app = App()


@app.websocket("/coroutine", deflate=DEFLATE)
async def coroutine(socket: WebSocket) -> None:
    """Send back what comes; "leave" closes, "fail" raises."""
    await socket.accept()
    async for message in socket:
        if message == "leave":
            await socket.close(4000)
        elif message == "fail":
            raise RuntimeError("on purpose")
        else:
            await socket.send_text(str(message))


@app.websocket("/listener", deflate=DEFLATE)
class Listener(WebSocketListener):
    """The same by callbacks."""

    def on_text(self, socket: ListenedSocket, text: str) -> None:
        if text == "leave":
            socket.abort()
        elif text == "fail":
            raise RuntimeError("on purpose")
        else:
            socket.try_send(text)


@app.websocket("/denied")
async def denied(socket: WebSocket) -> None:
    """Open nothing."""
    await socket.deny(403, "no")


@app.websocket("/undecided")
async def undecided(socket: WebSocket) -> None:
    """Decide nothing."""
    await asyncio.sleep(0.001)


async def visit(turn: int, url: str, **options: Any) -> None:
    """Open one, and end it in one of many ways."""
    path = ("/coroutine", "/listener", "/denied", "/undecided", "/nowhere")[turn % 5]
    ending = ("close", "abort", "leave", "fail", "break", "ping", "drop")[turn % 7]
    try:
        async with connect(url + path, deflate=DEFLATE if turn % 3 else None, **options) as socket:
            await socket.send_text("hello " * 50)
            assert await socket.receive_text() == "hello " * 50
            if ending == "abort":
                socket.abort()
            elif ending in ("leave", "fail"):
                await socket.send_text(ending)
                await socket.receive()
            elif ending == "break":
                socket.wire.write(b"\xff\xff\xff\xff")
                await socket.receive()
            elif ending == "ping":
                await socket.ping()
            elif ending == "drop":
                await socket.send_text("dropped")
    except (RemoteProtocolError, TransportError, WebSocketClosed):
        pass  # as it should be, for most of them


async def half(transport: Any, address: Any) -> None:
    """Begin an opening handshake, and leave."""
    made: list[Any] = []
    await transport.connect(address, made.append)
    [stream] = made
    stream.receiver = Silent()
    stream.write(b"GET /coroutine HTTP/1.1\r\nhost: a\r\nupgrade: webs")
    stream.abort()


class Silent(Receiver):
    """Cares for nothing."""

    def received(self, data: bytes, now: float) -> None:
        """Drop it."""

    def lost(self, error: BaseException | None) -> None:
        """Be told."""


async def main(transport: Any, early: int, late: int) -> dict[str, Any]:
    """Open `late` of them; return both snapshots."""
    server = Server(app, port=0, access_log=False, drain=1.0)
    await server.start(transport)
    url = f"ws://127.0.0.1:{server.port}"
    at: dict[str, Any] = {}
    for turn in range(0, late, TOGETHER):
        visits = [visit(number, url, transport=transport) for number in range(turn, turn + TOGETHER)]
        await asyncio.gather(half(transport, server.addresses[0]), *visits)
        count = turn + TOGETHER
        if count in (early, late):
            while server.statistics()["connections"]["open"]:
                await asyncio.sleep(0.01)
            at["early" if count == early else "late"] = snapshot()
    at["growth"] = dict(Counter(at["late"]) - Counter(at["early"]))
    await server.finish()
    return at


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transport", default="epoll")
    parser.add_argument("--early", type=int, default=20_000)
    parser.add_argument("--late", type=int, default=100_000)
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)  # what fails on purpose
    print(json.dumps(find_transport(given.transport).run(lambda transport: main(transport, given.early, given.late))))
