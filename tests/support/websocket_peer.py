"""The server's side of a WebSocket, played by hand over a stream in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from highper_core.engines import WebSocketConnection
from highper_core.events import NEED_DATA, BytesFragment, CloseConnection, Event, TextFragment
from highper_core.handshake import accept_value
from highper_core.limits import Limits
from highper_core.state import Role
from highper_transports.errors import StreamBroken
from highper_transports.memory import MemoryTransport, Peer
from highper_transports.sockets import Binding
from highper_transports.stream import Stream

__all__ = ["Main", "Play", "ServerByHand", "answering", "echo", "head_of", "played", "run"]

Main = Callable[[MemoryTransport], Coroutine[Any, Any, None]]


async def head_of(peer: Peer) -> dict[str, str]:
    """Receive a request head; return its fields, and its request-line under the empty name."""
    lines = (await peer.receive_until(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:] if line)
    return {"": lines[0], **fields}


class ServerByHand:
    """A server whose every byte is decided by the test.

    Attributes:
        peer: its raw end.
        request: the head it was sent.
        core: the protocol, once it has accepted.
    """

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.request: dict[str, str] = {}
        self.core: Any = None

    async def read_opening(self) -> bytes:
        """Receive the request; return the value that proves it."""
        self.request = await head_of(self.peer)
        return accept_value(self.request["sec-websocket-key"].encode())

    def switch(self, proof: bytes, *lines: str, behind: bytes = b"") -> None:
        """Answer 101 with further field lines, and bytes behind it in the same segment."""
        head = ["HTTP/1.1 101 Switching Protocols", "upgrade: websocket", "connection: upgrade"]
        head += [f"sec-websocket-accept: {proof.decode()}", *lines, "", ""]
        self.peer.send("\r\n".join(head).encode() + behind)
        self.core = WebSocketConnection(Role.SERVER, "auto", Limits(websocket_ping_interval=None))

    async def accept(self, *lines: str, behind: bytes = b"") -> ServerByHand:
        """Do the opening handshake."""
        self.switch(await self.read_opening(), *lines, behind=behind)
        return self

    def send(self, *events: Event | str | bytes) -> None:
        """Send events, or whole messages."""
        for event in events:
            if isinstance(event, str | bytes):
                self.core.send_message(event)
            else:
                self.core.send(event)
        self.peer.send(self.core.data_to_send())

    async def receive(self) -> str | bytes | Event:
        """Return the next message or event."""
        while (event := self.core.next_event()) is NEED_DATA:
            self.peer.send(self.core.data_to_send())
            self.core.receive_data(await self.peer.receive())
        self.peer.send(self.core.data_to_send())
        if isinstance(event, TextFragment):
            return event.text
        if isinstance(event, BytesFragment):
            return bytes(event.data)
        assert isinstance(event, Event)
        return event

    async def end(self, code: int = 1000, reason: str = "") -> None:
        """Do the closing handshake, and close."""
        self.send(CloseConnection(code, reason))
        while not isinstance(await self.receive(), CloseConnection):
            pass
        self.peer.close()


Play = Callable[[ServerByHand], Awaitable[object]]


@asynccontextmanager
async def played(transport: MemoryTransport, *plays: Play) -> AsyncIterator[tuple[str, list[ServerByHand]]]:
    """Play for each stream that comes one of `plays`, the last one again and again.

    Yields the URL, and the servers played so far. A play that raises fails the test, unless its peer vanished.
    """
    servers: list[ServerByHand] = []
    tasks: list[asyncio.Future[None]] = []

    async def perform(server: ServerByHand, play: Play) -> None:
        try:
            await play(server)
        except StreamBroken:
            server.peer.close()

    def opened(stream: Stream) -> None:
        play = plays[min(len(servers), len(plays) - 1)]
        servers.append(ServerByHand(Peer(stream)))
        tasks.append(asyncio.ensure_future(perform(servers[-1], play)))

    listener = await transport.listen(Binding(host="far.example"), opened)
    host, port = listener.address
    try:
        yield f"ws://{host}:{port}", servers
    finally:
        listener.close()
        for task in tasks:
            if not task.done():
                task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


async def echo(server: ServerByHand) -> None:
    """Accept, and echo messages until the Close."""
    await server.accept()
    while not isinstance(message := await server.receive(), CloseConnection):
        if isinstance(message, str | bytes):
            server.send(message)
    server.peer.close()


def answering(answer: bytes, *, close: bool = False) -> Play:
    """Answer the opening handshake with these bytes."""

    async def play(server: ServerByHand) -> None:
        server.request = await head_of(server.peer)
        server.peer.send(answer)
        if close:
            server.peer.close()

    return play


def run(main: Main) -> None:
    """Run in virtual time, of which an hour is taken for a hang; nothing may be left running."""

    async def bounded(transport: MemoryTransport) -> None:
        async with asyncio.timeout(3600):
            await main(transport)
        await asyncio.sleep(60)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    MemoryTransport.run(bounded)
