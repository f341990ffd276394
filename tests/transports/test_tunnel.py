"""Streams through a proxy, secured or not, and what a proxy can do to them."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from support.exchanges import Site, content_of, text
from support.providers import EVERY, REAL, start
from support.takeovers import connect
from support.tls_peer import secured

from highper_core import Data, EndOfMessage, HttpConnection, Request, Response, Role
from highper_transports.driver import Driver
from highper_transports.errors import ConnectFailed, TunnelRefused
from highper_transports.exchange import Exchange
from highper_transports.memory import MemoryTransport, Peer
from highper_transports.sockets import Binding
from highper_transports.stream import Stream
from highper_transports.tls import TLS, client_context
from highper_transports.tunnel import Proxy, connect_through

__all__ = ["secured"]


def client() -> HttpConnection:
    return HttpConnection(Role.CLIENT)


async def through(
    transport: Any, proxy: Any, address: Any, *, tls: TLS | None = None, proxy_tls: TLS | None = None
) -> Driver:
    """Return the driver of a connection through `proxy`."""
    made: list[Driver] = []
    headers = ((b"proxy-authorization", b"Basic eDp5"),)
    await connect_through(
        transport,
        Proxy(proxy, proxy_tls, headers),
        address,
        lambda stream: made.append(Driver(stream, client())),
        client,
        tls=tls,
    )
    return made[0]


async def ask(driver: Driver, content: bytes) -> bytes:
    head = Request(method=b"POST", target=b"/", headers=[(b"host", b"far.example")])
    exchange = driver.open(head, content)
    answer = await exchange.receive()
    assert isinstance(answer, Response)
    assert answer.status_code == 200
    received = bytearray()
    while not isinstance(event := await exchange.receive(), EndOfMessage):
        assert isinstance(event, Data)
        received += event.data
    exchange.close()
    return bytes(received)


async def reflect(exchange: Exchange) -> None:
    text(exchange, await content_of(exchange))


@pytest.mark.parametrize("provider", EVERY, ids=lambda provider: provider.name)
def test_what_goes_through_a_tunnel_comes_out(provider: Any) -> None:
    """The proxy is told the peer's name and our credentials, and sees nothing of it again."""
    asked = []

    async def main(transport: Any) -> None:
        async def proxy(exchange: Exchange) -> None:
            asked.append((exchange.request.target, exchange.request.headers.first(b"proxy-authorization")))
            await connect(exchange, transport)

        async with Site(transport, reflect) as far, Site(transport, proxy) as near:
            driver = await through(transport, near, far)
            for content in (b"a", b"b" * 300_000):
                assert await ask(driver, content) == content
            driver.abort()
            assert asked == [(b"%s:%d" % (far[0].encode(), far[1]), b"Basic eDp5")]

    start(provider, main)


@pytest.mark.parametrize("provider", REAL, ids=lambda provider: provider.name)
@pytest.mark.parametrize("proxy_secured", [False, True], ids=["plain-proxy", "secured-proxy"])
def test_tls_is_spoken_inside_a_tunnel(provider: Any, proxy_secured: bool, secured: tuple[TLS, TLS]) -> None:
    """Also inside the TLS of the proxy itself; the certificate is the peer's."""
    server, ours = secured

    async def main(transport: Any) -> None:
        async def proxy(exchange: Exchange) -> None:
            await connect(exchange, transport)

        async with (
            Site(transport, reflect, tls=server) as far,
            Site(transport, proxy, tls=server if proxy_secured else None) as near,
        ):
            driver = await through(transport, near, far, tls=ours, proxy_tls=ours if proxy_secured else None)
            assert driver.stream.scheme == "https"
            assert driver.stream.alpn == "http/1.1"
            for content in (b"a", b"", b"b" * 3_000_000):
                assert await ask(driver, content) == content
            driver.shutdown()

    start(provider, main)


@pytest.mark.parametrize("provider", REAL, ids=lambda provider: provider.name)
def test_a_certificate_that_is_not_the_peers_is_refused(provider: Any, secured: tuple[TLS, TLS]) -> None:
    server, ours = secured
    other = TLS(ours.context, server_hostname="other.example")
    stranger = TLS(client_context(), server_hostname="127.0.0.1")

    async def main(transport: Any) -> None:
        async def proxy(exchange: Exchange) -> None:
            await connect(exchange, transport)

        async with Site(transport, reflect, tls=server) as far, Site(transport, proxy) as near:
            for tls in (other, stranger):
                with pytest.raises(ConnectFailed, match="certificate") as caught:
                    await through(transport, near, far, tls=tls)
                assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)

    start(provider, main)


@pytest.mark.parametrize("provider", EVERY, ids=lambda provider: provider.name)
def test_a_proxy_that_says_no_is_told_from_one_that_is_not_there(provider: Any) -> None:
    async def main(transport: Any) -> None:
        async def proxy(exchange: Exchange) -> None:
            text(exchange, b"who are you?", 407)

        async with Site(transport, proxy) as near:
            with pytest.raises(TunnelRefused) as caught:
                await through(transport, near, ("far.example", 80))
            assert caught.value.status == 407
        with pytest.raises(ConnectFailed) as absent:
            await through(transport, near, ("far.example", 80))
        assert not isinstance(absent.value, TunnelRefused)

    start(provider, main)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"SSH-2.0-proxy\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
    ids=["nothing", "half a head", "a malformed head", "another protocol", "an interim answer"],
)
def test_a_proxy_that_ends_without_an_answer_has_failed(answer: bytes) -> None:
    async def main(transport: MemoryTransport) -> None:
        def opened(stream: Stream) -> None:
            peer = Peer(stream)
            peer.send(answer)
            peer.half_close()

        listener = await transport.listen(Binding(host="proxy.example", port=3128), opened)
        with pytest.raises(ConnectFailed, match="opened no tunnel"):
            await through(transport, listener.address, ("far.example", 80))
        listener.close()

    start(MemoryTransport, main)


def test_bytes_behind_the_proxys_answer_are_no_tunnel(secured: tuple[TLS, TLS]) -> None:
    """Where TLS is to be spoken they come from nobody that was checked."""

    async def main(transport: MemoryTransport) -> None:
        def opened(stream: Stream) -> None:
            Peer(stream).send(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")

        listener = await transport.listen(Binding(host="proxy.example", port=3128), opened)
        with pytest.raises(ConnectFailed, match="does not leave the tunnel to us"):
            await through(transport, listener.address, ("far.example", 443), tls=secured[1])
        listener.close()

    start(MemoryTransport, main)
