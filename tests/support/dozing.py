"""WebSockets at rest: how a test has them doze at once, counts those that do, and talks to them byte by byte."""

from __future__ import annotations

import asyncio
import socket as sockets
from typing import Any

from support.sockets import UPGRADE, Served

from highper_http import App, WebSocketListener
from highper_http.websocket import ListenedSocket
from highper_http.websocket.speaker import Speaker

__all__ = ["Echo", "HELLO", "MASKED_HELLO", "Raw", "dozing", "expected", "listening", "lull", "over_sockets", "until"]

MASKED_HELLO = bytes.fromhex("818537fa213d7f9f4d5158")  # RFC 6455 section 5.7
HELLO = bytes.fromhex("810548656c6c6f")


class Echo(WebSocketListener):
    """Echoes, and keeps what it was told."""

    def __init__(self) -> None:
        self.sockets: list[ListenedSocket] = []
        self.closed: list[tuple[int, str]] = []

    def on_open(self, socket: ListenedSocket) -> None:
        self.sockets.append(socket)

    def on_message(self, socket: ListenedSocket, message: str | bytes) -> None:
        socket.try_send(message)

    def on_close(self, socket: ListenedSocket, code: int, reason: str) -> None:
        self.closed.append((code, reason))


def lull(site: Served) -> int:
    """Let two quiet seconds pass for every socket of the server, without waiting; return how many doze then."""
    now = site.transport.now()
    for stream in list(site.server._service.awake):
        receiver = stream.receiver
        for _ in range(2):
            if isinstance(receiver, Speaker) and receiver.wire is not None:
                receiver.expired(now)
    return dozing(site)


def dozing(site: Served) -> int:
    """How many streams of the server doze."""
    service = site.server._service
    return service.open - len(service.awake)


def expected(site: Served, count: int) -> int:
    """How many of `count` quiet sockets doze: all, where the transport can keep less than a stream."""
    return count if site.transport.name == "epoll" else 0


class Raw:
    """A client over a plain socket, in a thread's stead: the loop does its reading and writing."""

    def __init__(self, plain: sockets.socket) -> None:
        self.plain = plain
        self.loop = asyncio.get_running_loop()

    @classmethod
    async def open(cls, site: Served, path: bytes = b"/ws") -> Raw:
        plain = sockets.socket()
        plain.setblocking(False)
        raw = cls(plain)
        await raw.loop.sock_connect(plain, site.address)
        plain.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        await raw.send(UPGRADE % (path, b""))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await raw.loop.sock_recv(plain, 1)
        assert head.startswith(b"HTTP/1.1 101 ")
        return raw

    async def send(self, data: bytes) -> None:
        await self.loop.sock_sendall(self.plain, data)

    async def receive(self, count: int) -> bytes:
        data = b""
        async with asyncio.timeout(10):
            while len(data) < count and (piece := await self.loop.sock_recv(self.plain, count - len(data))):
                data += piece
        return data

    def reset(self) -> None:
        self.plain.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.plain.close()


async def until(predicate: Any) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(10):
        while not predicate():
            await asyncio.sleep(0.002)


def listening(listener: WebSocketListener, **options: Any) -> App:
    """An application whose `/ws` is a listener's."""
    app = App(**options)
    app.websocket("/ws")(listener)  # type: ignore[type-var]
    return app


def over_sockets(site: Served) -> bool:
    """Whether its streams are sockets of the system."""
    return site.transport.name != "memory"
