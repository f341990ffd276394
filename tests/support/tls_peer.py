"""The other side of a TLS stream, played by hand: every byte that travels can be seen, cut, spoiled or withheld."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from highper_transports.tls import TLS, client_context, server_context

__all__ = ["TlsPeer", "certificates", "secured"]


def certificates(folder: Path) -> tuple[TLS, TLS]:
    """Return how a server at 127.0.0.1 and its clients speak TLS."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    server = TLS(server_context(str(folder / "server.pem")))
    return server, TLS(client_context(authority=str(folder / "ca.pem")), server_hostname="127.0.0.1")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> tuple[TLS, TLS]:
    """How a server at 127.0.0.1 and its clients speak TLS."""
    return certificates(tmp_path_factory.mktemp("tls"))


class TlsPeer:
    """A client on a plain socket, with its own TLS state.

    Attributes:
        wire: the socket.
        tls: the state.
        ended: the socket ended.
    """

    def __init__(self, wire: socket.socket, context: ssl.SSLContext) -> None:
        self.wire = wire
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="127.0.0.1")
        self.ended = False

    @classmethod
    async def reach(cls, address: Any, client: TLS) -> TlsPeer:
        """Return one that is connected and has not said anything."""
        wire = socket.socket()
        wire.setblocking(False)
        await asyncio.get_running_loop().sock_connect(wire, address)
        return cls(wire, client.context)

    @classmethod
    async def connected(cls, address: Any, client: TLS) -> TlsPeer:
        """Return one whose handshake is done."""
        peer = await cls.reach(address, client)
        await peer.send(await peer.handshake())
        return peer

    async def handshake(self) -> bytes:
        """Go on with the handshake until we are done; return our last flight, which was not sent."""
        while True:
            try:
                self.tls.do_handshake()
                return self.outgoing.read()
            except ssl.SSLWantReadError:
                await self.send(self.outgoing.read())
                await self.more()

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        await asyncio.get_running_loop().sock_sendall(self.wire, data)

    async def more(self) -> None:
        """Receive what there is."""
        async with asyncio.timeout(5):
            data = await asyncio.get_running_loop().sock_recv(self.wire, 65536)
        if data:
            self.incoming.write(data)
        else:
            self.ended = True
            self.incoming.write_eof()

    def sealed(self, data: bytes) -> bytes:
        """Return content as records."""
        self.tls.write(data)
        return self.outgoing.read()

    def farewell(self) -> bytes:
        """Return our close_notify."""
        with suppress(ssl.SSLError):  # it waits for the other side's
            self.tls.unwrap()
        return self.outgoing.read()

    async def write(self, data: bytes) -> None:
        """Send content."""
        await self.send(self.sealed(data))

    async def read(self) -> bytes:
        """Return some content; nothing where the other side said farewell.

        Raises:
            ssl.SSLEOFError: it ended without.
        """
        while True:
            try:
                return self.tls.read(65536)
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLWantReadError:
                await self.more()

    async def read_exactly(self, length: int) -> bytes:
        """Return so much content."""
        data = bytearray()
        while len(data) < length:
            piece = await self.read()
            assert piece, f"the end came after {len(data)} of {length} bytes"
            data += piece
        return bytes(data)

    def close(self) -> None:
        """Close the socket."""
        self.wire.close()
