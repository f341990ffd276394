"""A proxy's header before TLS: in clear, ahead of the handshake, and without it there is none."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import Any

import orjson
import pytest
import trustme
from support.proxies import BINARY, CLIENT, GET, LINE, dial, provider, serving

from highper_http import Server
from highper_transports.memory import MemoryTransport
from highper_transports.sockets import Binding
from highper_transports.tls import TLS
from highper_transports.trust import TrustedPeers

__all__ = ["provider"]


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return server, client


def secure_client(address: Any, context: ssl.SSLContext, header: bytes) -> tuple[Any, bytes]:
    """Send a header, then TLS; return what is answered, and the rest until the end."""
    with socket.create_connection(address, timeout=20) as plain:
        for start in range(0, len(header), 7):
            plain.sendall(header[start : start + 7])
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
            secure.sendall(GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
            data = b""
            while piece := secure.recv(65536):
                data += piece
    return orjson.loads(data[data.index(b"{") :]), data


@pytest.mark.parametrize("header", [LINE, BINARY], ids=["line", "binary"])
def test_the_header_comes_before_the_handshake(
    provider: Any, header: bytes, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    """In clear, and not a byte of the handshake is lost with it."""
    if issubclass(provider, MemoryTransport):
        pytest.skip("TLS is pretended there")

    async def main(transport: Any, server: Server) -> None:
        found = await asyncio.gather(
            *(asyncio.to_thread(secure_client, server.addresses[0], contexts[1], header) for _ in range(5))
        )
        assert [seen for seen, _ in found] == [CLIENT | {"scheme": "https"}] * 5

    serving(provider, main, ssl=contexts[0])


def test_who_is_turned_away_sees_no_handshake(provider: Any, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """A stranger, TLS without a header, a header that stops, a handshake that does not come."""
    if issubclass(provider, MemoryTransport):
        pytest.skip("TLS is pretended there")
    secure = TLS(contexts[0], handshake_timeout=0.5)

    async def main(transport: Any, server: Server) -> None:
        here, elsewhere = server.addresses
        for address, sent in (
            (elsewhere, LINE),
            (here, b"\x16\x03\x01"),
            (here, LINE[:9]),
            (here, LINE),
            (here, LINE + GET),
        ):
            wire = await dial(transport, address)
            wire.send(sent)
            with suppress(ConnectionError):
                assert b"HTTP" not in await wire.receive()  # an alert at most
            wire.close()

    places = [
        Binding(host="127.0.0.1", tls=secure, proxy_protocol=TrustedPeers.of(name))
        for name in ("127.0.0.1", "192.0.2.1")
    ]
    serving(provider, main, bind=places)
