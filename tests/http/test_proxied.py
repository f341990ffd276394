"""Servers behind proxies that announce their clients: who is believed of them, and who is turned away."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from support.proxies import BINARY, CLIENT, GET, LINE, LOCAL, OVER_TLS, build, dial, provider, serving

from highper_core.limits import Limits
from highper_http import Server
from highper_http.errors import ConfigError
from highper_transports import BindingInvalid
from highper_transports.memory import MemoryTransport
from highper_transports.sockets import Binding
from highper_transports.trust import TrustedPeers

__all__ = ["provider"]


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
