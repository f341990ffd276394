"""Applications with WebSockets served in memory, on virtual time, and a client that reads nothing of what they send."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support.sockets import UPGRADE, Served, dial, served
from support.websocket_play import Play

from highper_http import App
from highper_transports.memory import MemoryTransport, Peer

__all__ = ["Play", "deaf", "frame", "play"]

Main = Callable[[Served], Coroutine[Any, Any, None]]


@pytest.fixture
def play(engine_name: str) -> Play:
    """Serve an application while a coroutine function talks to it."""

    def start(app: App, main: Main) -> None:
        async def bounded(transport: Any) -> None:
            async with served(transport, app, engine_name) as site:
                await main(site)

        MemoryTransport.run(bounded)

    return start


async def deaf(site: Served, path: bytes = b"/ws") -> Peer:
    """A client that has opened a WebSocket and reads nothing."""
    peer = await dial(site)
    peer.send(UPGRADE % (path, b""))
    await peer.receive_until(b"\r\n\r\n")
    peer.stream.pause_reading()
    return peer


def frame(payload: bytes, opcode: int = 2) -> bytes:
    """What a client sends, masked with nothing."""
    length = len(payload)
    if length < 126:
        return bytes([0x80 | opcode, 0x80 | length]) + bytes(4) + payload
    if length < 1 << 16:
        return bytes([0x80 | opcode, 0xFE]) + length.to_bytes(2, "big") + bytes(4) + payload
    return bytes([0x80 | opcode, 0xFF]) + length.to_bytes(8, "big") + bytes(4) + payload
