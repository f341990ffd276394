"""A client of a server on a lying kernel: some requests on a real socket, and what must come back."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any

from simulation.reader import Garbled, next_answer
from simulation.site import expected

if TYPE_CHECKING:
    from .world import World

__all__ = ["FILE", "Client"]

PATIENCE = 20.0  # seconds that no conversation takes unless somebody was forgotten
KINDS = ("inline", "now", "hold", "raise", "echo", "unread", "sleep", "drip", "file")
FILE = bytes(range(256)) * 1200


class Wire:
    """A client's socket, as the reader of answers wants it."""

    def __init__(self, plain: socket.socket, random: Random) -> None:
        self.socket = plain
        self.random = random
        self.slow = random.random() < 0.3
        self._back = b""

    async def receive(self) -> bytes:
        """Return some bytes, b"" at the end."""
        if self._back:
            data, self._back = self._back, b""
            return data
        if self.slow and self.random.random() < 0.2:
            await asyncio.sleep(self.random.random() * 0.003)
        room = self.random.choice((4096, 65536)) if self.slow else 65536
        return await asyncio.get_running_loop().sock_recv(self.socket, room)

    def put_back(self, data: bytes) -> None:
        """Return `data` first the next time."""
        self._back = data + self._back

    def reset(self) -> None:
        """Close with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Client:
    """Some requests on one connection, and what must come back."""

    def __init__(self, world: World, address: Any, name: str) -> None:
        self.world = world
        self.random = world.random
        self.address = address
        self.name = name
        self._asked = 0
        self._ask()

    def _ask(self) -> None:
        """Think of other requests."""
        self.asked: list[tuple[bytes, int, bytes | None]] = []
        for _ in range(self.random.randint(1, 6)):
            self._asked += 1
            self.asked.append(self._request(self.random.choice(KINDS), f"{self.name}-{self._asked}"))

    def _request(self, kind: str, token: str) -> tuple[bytes, int, bytes | None]:
        """Return a request's bytes, and status and content of its answer; None for any content."""
        size = self.random.choice((1, 30, 300)) if kind == "drip" else 0
        query = f"?size={size}" if kind == "drip" else "?for=0.002" if kind == "sleep" else ""
        content = b""
        if kind in ("echo", "unread"):
            content = self.random.randbytes(self.random.choice((0, 10, 3000, 150_000)))
        method = "POST" if kind in ("echo", "unread") else "GET"
        head = f"{method} /{kind}/{token}{query} HTTP/1.1\r\nhost: a\r\n"
        if method == "POST":
            head += f"content-length: {len(content)}\r\n"
        status, answer = (200, FILE) if kind == "file" else expected(kind, token, content, size)
        return head.encode() + b"\r\n" + content, status, None if kind == "raise" else answer

    async def run(self) -> None:
        """Talk, as one of the kinds of clients there are."""
        kind = self.random.choice(("talk", "talk", "pipeline", "half-close", "reset", "storm"))
        self.world.ledger.ends[kind] += 1
        await asyncio.sleep(self.random.random() * 0.05)
        for _ in range(10 if kind == "storm" else 1):
            await self.converse(kind)
            self._ask()

    async def converse(self, kind: str) -> None:
        """Have one connection."""
        plain = socket.socket()
        plain.setblocking(False)
        if self.random.random() < 0.3:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        port = 0
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.get_running_loop().sock_connect(plain, self.address)
                port = plain.getsockname()[1]
                wire = Wire(plain, self.random)
                if kind in ("reset", "storm"):
                    await self._vanish(wire)
                else:
                    await self._talk(wire, kind)
        except TimeoutError:
            self._violated(kind, "somebody was forgotten", port)
        except Garbled as error:
            self._violated(kind, "an answer is garbled", error)
        except OSError as error:
            if port not in self.world.script.doomed and kind not in ("reset", "storm"):
                self._violated(kind, "a connection broke that nobody broke", error)
        finally:
            plain.close()

    async def _vanish(self, wire: Wire) -> None:
        """Send what is asked, or a part of it, perhaps read a little, and reset."""
        wanted = b"".join(request for request, _, _ in self.asked)
        loop = asyncio.get_running_loop()
        sending = asyncio.ensure_future(loop.sock_sendall(wire.socket, wanted[: self.random.randint(0, len(wanted))]))
        await asyncio.sleep(self.random.choice((0, 0, 0.002, 0.02)))
        if self.random.random() < 0.3 and sending.done():
            with suppress(TimeoutError):
                await asyncio.wait_for(wire.receive(), 0.01)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        wire.reset()

    async def _talk(self, wire: Wire, kind: str) -> None:
        loop = asyncio.get_running_loop()
        if kind == "talk":
            for request, status, content in self.asked:
                sending = asyncio.ensure_future(loop.sock_sendall(wire.socket, request))
                try:
                    await self._expect(wire, kind, status, content)
                finally:
                    await _ended(sending)
            return
        sending = asyncio.ensure_future(self._send_all(wire, kind))
        try:
            for _, status, content in self.asked:
                await self._expect(wire, kind, status, content)
            if kind == "half-close" and await wire.receive():
                self._violated(kind, "something came behind the last answer")
        finally:
            await _ended(sending)

    async def _send_all(self, wire: Wire, kind: str) -> None:
        await asyncio.get_running_loop().sock_sendall(wire.socket, b"".join(request for request, _, _ in self.asked))
        if kind == "half-close":
            wire.socket.shutdown(socket.SHUT_WR)

    async def _expect(self, wire: Wire, kind: str, status: int, content: bytes | None) -> None:
        answer = await next_answer(wire)  # type: ignore[arg-type]
        if answer is None or not answer.is_whole:
            if answer is not None and content is not None and not content.startswith(answer.content):
                self._violated(kind, "the beginning of an answer is not its own")
            raise ConnectionResetError("the input ended")
        self.world.ledger.requests += 1
        if answer.status != status or (content is not None and answer.content != content):
            self._violated(kind, "an answer is not the one", (answer.status, status, len(answer.content)))

    def _violated(self, kind: str, invariant: str, detail: object = "") -> None:
        self.world.violated(f"{invariant} ({kind} {self.name})", detail)


async def _ended(task: asyncio.Future[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
