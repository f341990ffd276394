"""Servers behind proxies that announce their clients: in plain and before TLS, and who is turned away."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
import trustme

from highper_core.limits import Limits
from highper_http import App, Request, Server
from highper_http.errors import ConfigError
from highper_transports import BindingInvalid, StreamBroken, registry
from highper_transports.memory import MemoryTransport
from highper_transports.sockets import Binding
from highper_transports.tls import TLS
from highper_transports.trust import TrustedPeers

LINE = b"PROXY TCP4 203.0.113.7 198.51.100.1 52110 443\r\n"
BINARY = (
    b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"
    + bytes([203, 0, 113, 7, 198, 51, 100, 1])
    + struct.pack("!HH", 52110, 443)
)
LOCAL = b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
OVER_TLS = BINARY[:14] + b"\x00\x14" + BINARY[16:] + b"\x20\x00\x05\x01\x00\x00\x00\x00"
GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
CLIENT = {"client": ["203.0.113.7", 52110], "server": ["198.51.100.1", 443], "scheme": "http", "host": "a"}


def build() -> App:
    app = App()

    @app.get("/")
    async def index(req: Request) -> dict[str, object]:
        return {"client": req.client, "server": req.server, "scheme": req.scheme, "host": req.host}

    return app


@pytest.fixture(params=["asyncio", "uvloop", "epoll", "memory"])
def provider(request: pytest.FixtureRequest) -> Any:
    reason = registry.why_not(request.param)
    if reason is not None:
        pytest.skip(reason)
    return registry.transport(request.param)


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return server, client


class Wire:
    """A client's raw end, over any provider."""

    def __init__(self, send: Any, receive: Any, close: Any) -> None:
        self.send, self.receive, self.close = send, receive, close

    async def ask(self, count: int = 1) -> list[Any]:
        """Return the content of the next answers."""
        data, found = b"", []
        while len(found) < count:
            piece = await self.receive()
            assert piece, f"the stream ended after {data!r}"
            data += piece
            while (end := data.find(b"}", data.find(b"\r\n\r\n"))) > 0:
                found.append(orjson.loads(data[data.index(b"{") : end + 1]))
                data = data[end + 1 :]
        return found

    async def is_turned_away(self) -> bool:
        try:
            return await self.receive() == b""
        except (ConnectionError, StreamBroken):
            return True


async def dial(transport: Any, address: Any) -> Wire:
    if isinstance(transport, MemoryTransport):
        peer = await transport.dial(address)

        async def receive() -> bytes:
            data: bytes = await peer.receive()
            return data

        return Wire(peer.send, receive, peer.close)
    reader, writer = await (
        asyncio.open_unix_connection(address) if isinstance(address, str) else asyncio.open_connection(*address)
    )
    return Wire(writer.write, lambda: reader.read(65536), writer.close)


def serving(provider: Any, main: Callable[[Any, Server], Awaitable[None]], **options: Any) -> None:
    """Run `main` beside a server, and see that nothing of it is left."""
    options.setdefault("trusted_proxies", "127.0.0.0/8")
    options.setdefault("host", "127.0.0.1")
    options.setdefault("port", 0)

    async def run(transport: Any) -> None:
        server = Server(build(), proxy_protocol=True, access_log=False, **options)
        await server.start(transport)
        try:
            await asyncio.wait_for(main(transport, server), 60)
        finally:
            await server.finish()
        assert server._service is not None
        assert server._service.open == 0
        assert server._service.awake == {}

    provider.run(run)


@pytest.mark.parametrize("header", [LINE, BINARY], ids=["line", "binary"])
def test_a_proxy_names_the_client(provider: Any, header: bytes) -> None:
    """For every request of the connection, through a rest too."""

    async def main(transport: Any, server: Server) -> None:
        for pieces in ([header + GET + GET], [header, GET + GET], [bytes([byte]) for byte in header + GET], None):
            wire = await dial(transport, server.addresses[0])
            for piece in pieces or [header]:
                wire.send(piece)
                await asyncio.sleep(0)
            if pieces is None:
                await asyncio.sleep(0.05)
                wire.send(GET)
            assert (await wire.ask())[0] == CLIENT
            await asyncio.sleep(2.5)  # long enough to rest
            assert server._service is not None
            assert server._service.resting == 1
            wire.send(GET)
            assert await wire.ask() == [CLIENT]
            wire.close()
            await asyncio.sleep(0.05)
            if not isinstance(transport, MemoryTransport):
                break

    serving(provider, main)


def test_tls_between_client_and_proxy_is_the_clients_scheme(provider: Any) -> None:
    """PP2_TYPE_SSL: what the client spoke counts, not what the proxy speaks to us."""

    async def main(transport: Any, server: Server) -> None:
        wire = await dial(transport, server.addresses[0])
        wire.send(OVER_TLS + GET)
        assert await wire.ask() == [CLIENT | {"scheme": "https"}]
        wire.close()

    serving(provider, main)


def test_a_proxy_that_speaks_for_itself_is_itself(provider: Any) -> None:
    """LOCAL leaves the stream's own addresses; UNKNOWN leaves none, for the client is not the proxy."""

    async def main(transport: Any, server: Server) -> None:
        for header, name in ((LOCAL, "127.0.0.1"), (b"PROXY UNKNOWN\r\n", None)):
            wire = await dial(transport, server.addresses[0])
            wire.send(header + GET)
            [seen] = await wire.ask()
            assert (seen["client"] and seen["client"][0]) == name
            wire.close()

    serving(provider, main)


@pytest.mark.parametrize(
    ("named", "client"),
    [("203.0.113.7", ["203.0.113.7", 52110]), ("127.0.0.9", ["192.0.2.66", 0])],
    ids=["a stranger", "another proxy"],
)
def test_fields_are_believed_of_whom_the_header_names(provider: Any, named: str, client: Any) -> None:
    """A client behind a trusted PROXY header is no proxy: its fields are its own invention."""

    async def main(transport: Any, server: Server) -> None:
        wire = await dial(transport, server.addresses[0])
        wire.send(LINE.replace(b"203.0.113.7", named.encode()))
        wire.send(GET.replace(b"\r\n\r\n", b"\r\nx-forwarded-for: 192.0.2.66\r\n\r\n"))
        assert (await wire.ask())[0]["client"] == client
        wire.close()

    serving(provider, main)


def test_fields_of_a_client_nobody_knows_are_not_believed(provider: Any) -> None:
    """UNKNOWN is not the proxy, which would be."""

    async def main(transport: Any, server: Server) -> None:
        wire = await dial(transport, server.addresses[0])
        wire.send(b"PROXY UNKNOWN\r\n" + GET.replace(b"\r\n\r\n", b"\r\nx-forwarded-for: 192.0.2.66\r\n\r\n"))
        assert (await wire.ask())[0]["client"] is None
        wire.close()

    serving(provider, main)


@pytest.mark.parametrize(
    "sent", [GET, b"\x16\x03\x01\x02\x00\x01", BINARY[:12] + b"\x22", LINE[:-2] + b"\n", b"PROXY TCP4 a b 1 2\r\n"]
)
def test_who_sends_no_header_is_turned_away(provider: Any, sent: bytes) -> None:
    """Without an answer, which could be taken for one to a request."""

    async def main(transport: Any, server: Server) -> None:
        wire = await dial(transport, server.addresses[0])
        wire.send(sent)
        if sent[:13] == BINARY[:12] + b"\x22":
            wire.send(BINARY[13:])
        assert await wire.is_turned_away()
        wire.close()

    serving(provider, main)


def test_a_second_header_is_no_request(provider: Any) -> None:
    """Only the first bytes of a stream are the proxy's own."""

    async def main(transport: Any, server: Server) -> None:
        wire = await dial(transport, server.addresses[0])
        wire.send(LINE + LINE + GET)
        assert (await wire.receive()).startswith(b"HTTP/1.1 400 ")
        wire.close()

    serving(provider, main)


def test_a_stranger_is_turned_away(provider: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it sends; the log tells who wonders, and only at its finest level."""
    caplog.set_level(logging.DEBUG, "highper.proxy")

    async def main(transport: Any, server: Server) -> None:
        wire = await dial(transport, server.addresses[0])
        wire.send(LINE + GET)
        assert await wire.is_turned_away()
        wire.close()

    serving(provider, main, trusted_proxies="192.0.2.0/24, unix")
    assert "it is no trusted proxy" in caplog.text
    assert {record.levelno for record in caplog.records if record.name == "highper.proxy"} == {logging.DEBUG}


def test_a_header_has_the_first_bytes_time(provider: Any) -> None:
    """All of it, not each byte; then the request has its own."""

    async def main(transport: Any, server: Server) -> None:
        wire = await dial(transport, server.addresses[0])
        begun = transport.now()
        gone = asyncio.ensure_future(wire.is_turned_away())
        for byte in LINE[:-2]:
            wire.send(bytes([byte]))
            await asyncio.sleep(0.05)
            if gone.done():
                break
        assert await gone
        assert 0.4 <= transport.now() - begun < 2.0
        wire.close()

    serving(provider, main, limits=Limits(first_byte_timeout=0.5))


def test_a_stop_does_not_wait_for_a_header(provider: Any) -> None:
    """Nobody is served yet."""

    async def main(transport: Any, server: Server) -> None:
        wire = await dial(transport, server.addresses[0])
        wire.send(LINE[:20])
        while not server._service.awake:  # type: ignore[union-attr]
            await asyncio.sleep(0.01)
        begun = transport.now()
        await server.finish()
        assert transport.now() - begun < 5
        assert await wire.is_turned_away()
        wire.close()

    serving(provider, main)


def test_half_a_header_is_none(provider: Any) -> None:
    """The end of input inside it ends the stream."""

    async def main(transport: Any, server: Server) -> None:
        wire = await dial(transport, server.addresses[0])
        wire.send(LINE[:20])
        wire.close()
        while server._service.open or not server._service.accepted:  # type: ignore[union-attr]
            await asyncio.sleep(0.01)

    serving(provider, main)


def test_a_proxy_on_a_unix_socket_is_trusted_by_its_word(provider: Any, tmp_path: Path) -> None:
    """And whom it names is not on that socket: its fields are not believed."""
    if issubclass(provider, MemoryTransport):
        pytest.skip("a path is an address like any other there")

    async def main(transport: Any, server: Server) -> None:
        wire = await dial(transport, server.addresses[0])
        wire.send(b"PROXY UNKNOWN\r\n" + GET.replace(b"\r\n\r\n", b"\r\nx-forwarded-for: 192.0.2.66\r\n\r\n"))
        assert (await wire.ask())[0]["client"] is None
        wire.close()

    serving(provider, main, bind=[f"unix:{tmp_path}/s"], trusted_proxies="unix")


# Before TLS


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


# Configuration


def test_proxies_that_nobody_trusts_are_a_mistake() -> None:
    """At once, in a sentence."""
    with pytest.raises(ConfigError, match="name their addresses"):
        Server(build(), proxy_protocol=True)
    with pytest.raises(BindingInvalid, match="name their addresses"):
        Binding(proxy_protocol=TrustedPeers())
    with pytest.raises(BindingInvalid, match="not an address"):
        Server(build(), trusted_proxies=["10.0.0.0/8", "proxy"])


def test_a_binding_may_trust_others_than_its_server() -> None:
    """What it says itself holds."""
    own = TrustedPeers.of("192.0.2.1")
    server = Server(
        build(),
        bind=[Binding(port=1, proxy_protocol=own), "127.0.0.1:2"],
        trusted_proxies=["10.0.0.0/8"],
        proxy_protocol=True,
    )
    assert [place.proxy_protocol for place in server.bindings] == [own, TrustedPeers.of("10.0.0.0/8")]


def test_the_access_log_names_the_client(caplog: pytest.LogCaptureFixture) -> None:
    """As far as trusted proxies tell; a stranger's claim is no line in the log."""
    caplog.set_level(logging.INFO, "highper.access")

    async def run(transport: Any) -> None:
        server = Server(build(), trusted_proxies="127.0.0.1")
        await server.start(transport)
        wire = await dial(transport, server.addresses[0])
        wire.send(GET.replace(b"\r\n\r\n", b"\r\nx-forwarded-for: 6.6.6.6, 203.0.113.7\r\n\r\n"))
        await wire.ask()
        wire.close()
        await server.finish()

    MemoryTransport.run(run)
    assert '203.0.113.7:0 "GET /" 200' in caplog.text
