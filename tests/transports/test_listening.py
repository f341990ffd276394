"""Real sockets, over every provider: where streams come from, by listening and connecting, with TLS or without."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.providers import provider
from transports.site import GET, Site, ask, certified, hello, serving

from highper_core import HttpConnection, Role
from highper_core import events as ev
from highper_transports.asyncio import AsyncioTransport
from highper_transports.driver import Driver
from highper_transports.errors import BindingInvalid, ConnectFailed
from highper_transports.exchange import Exchange
from highper_transports.sockets import Binding
from highper_transports.stream import Stream
from highper_transports.tls import TLS, client_context, server_context

__all__ = ["certified", "provider"]


# Listening


def test_port_zero_reports_its_address(provider: type[AsyncioTransport]) -> None:
    async def client(site: Site, address: Any) -> bytes:
        assert address[0] == "127.0.0.1"
        assert address[1] > 0
        return await ask(address, GET * 3)

    answer = serving(provider, hello, client)
    assert answer.count(b"HTTP/1.1 200 OK") == 3


def test_dual_stack_and_several_bindings(provider: type[AsyncioTransport], tmp_path: Path) -> None:
    async def client(site: Site, address: Any) -> list[bytes]:
        unix = await site.listen(Binding(path=str(tmp_path / "s")))
        return [
            await ask(("127.0.0.1", address[1]), GET),
            await ask(("::1", address[1]), GET),
            await ask(unix, GET),
        ]

    answers = serving(provider, hello, client, Binding())
    assert all(answer.endswith(b"hello") for answer in answers)
    assert not (tmp_path / "s").exists()


def test_a_unix_socket_that_was_replaced_is_left_alone(provider: type[AsyncioTransport], tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def client(site: Site, address: Any) -> None:
        path.unlink()
        path.write_text("somebody else's")

    serving(provider, hello, client, Binding(path=str(path)))
    assert path.read_text() == "somebody else's"
    path.unlink()

    async def remover(site: Site, address: Any) -> None:
        path.unlink()

    serving(provider, hello, remover, Binding(path=str(path)))


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_an_inherited_descriptor(provider: type[AsyncioTransport], family: int, tmp_path: Path) -> None:
    with socket.socket(family) as inherited:
        inherited.bind(("127.0.0.1", 0) if family == socket.AF_INET else str(tmp_path / "s"))
        inherited.listen()

        async def client(site: Site, address: Any) -> bytes:
            return await ask(address, GET)

        assert serving(provider, hello, client, Binding(fd=inherited.fileno())).endswith(b"hello")
        inherited.getsockname()


def test_a_taken_address_is_refused(provider: type[AsyncioTransport]) -> None:
    async def client(site: Site, address: Any) -> None:
        with pytest.raises(BindingInvalid):
            await site.listen(Binding(host=address[0], port=address[1]))

    serving(provider, hello, client)


def test_a_closed_listener_accepts_nobody_and_its_streams_live_on(provider: type[AsyncioTransport]) -> None:
    async def client(site: Site, address: Any) -> bytes:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(GET)
        await reader.readuntil(b"hello")
        site.listeners[0].close()
        await asyncio.sleep(0.01)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)
        writer.write(GET)
        answer = await reader.readuntil(b"hello")
        writer.close()
        return answer

    assert serving(provider, hello, client).endswith(b"hello")


# TLS


def test_tls_with_alpn(provider: type[AsyncioTransport], certified: tuple[str, str]) -> None:
    chain, root = certified
    seen: list[tuple[str, str | None]] = []

    async def note(exchange: Exchange) -> None:
        seen.append((exchange.stream.scheme, exchange.stream.alpn))
        exchange.send_message(ev.Response(status_code=200, headers=[(b"connection", b"close")]), b"hello")

    async def client(site: Site, address: Any) -> bytes:
        return await ask(address, GET, ssl=client_context(authority=root), server_hostname="localhost")

    binding = Binding(host="127.0.0.1", tls=TLS(server_context(chain)))
    assert serving(provider, note, client, binding).endswith(b"hello")
    assert seen == [("https", "http/1.1")]


def test_tls_may_demand_a_client_certificate(provider: type[AsyncioTransport], certified: tuple[str, str]) -> None:
    chain, root = certified

    async def client(site: Site, address: Any) -> None:
        answer = b""
        with suppress(ssl.SSLError, ConnectionError):
            answer = await ask(address, GET, ssl=client_context(authority=root), server_hostname="localhost")
        assert answer == b""
        with_certificate = client_context(authority=root)
        with_certificate.load_cert_chain(chain)
        reader, writer = await asyncio.open_connection(*address, ssl=with_certificate, server_hostname="localhost")
        writer.write(GET)
        await reader.readuntil(b"hello")
        writer.close()

    binding = Binding(host="127.0.0.1", tls=TLS(server_context(chain, client_authority=root)))
    serving(provider, hello, client, binding)


def test_a_handshake_has_its_time(provider: type[AsyncioTransport], certified: tuple[str, str]) -> None:
    async def client(site: Site, address: Any) -> bytes:
        reader, writer = await asyncio.open_connection(*address)
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert site.service.accepted == 0
        return answer

    binding = Binding(host="127.0.0.1", tls=TLS(server_context(certified[0]), handshake_timeout=0.2))
    assert serving(provider, hello, client, binding) == b""


def test_a_bad_certificate_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("nothing")
    with pytest.raises(ssl.SSLError):
        server_context(str(tmp_path / "bad.pem"))


# Connecting


async def fetch(transport: Any, address: Any, tls: TLS | None = None) -> bytes:
    """A client on the same driver."""
    drivers: list[Driver] = []

    def opened(stream: Stream) -> None:
        drivers.append(Driver(stream, HttpConnection(Role.CLIENT)))

    stream = await transport.connect(address, opened, tls=tls)
    exchange = drivers[0].open(ev.Request(method=b"GET", target=b"/", headers=[(b"host", b"x")]), b"")
    response = await exchange.receive()
    assert isinstance(response, ev.Response)
    content = b""
    while isinstance(event := await exchange.receive(), ev.Data):
        content += event.data
    exchange.close()
    stream.close()
    await asyncio.sleep(0.01)
    return content


def test_a_client_over_tcp_unix_and_tls(
    provider: type[AsyncioTransport], certified: tuple[str, str], tmp_path: Path
) -> None:
    chain, root = certified

    async def client(site: Site, address: Any) -> list[bytes]:
        unix = await site.listen(Binding(path=str(tmp_path / "s")))
        secured = await site.listen(Binding(host="127.0.0.1", tls=TLS(server_context(chain))))
        tls = TLS(client_context(authority=root), server_hostname="localhost")
        return [
            await fetch(site.transport, address),
            await fetch(site.transport, unix),
            await fetch(site.transport, secured, tls),
        ]

    assert serving(provider, hello, client) == [b"hello"] * 3


def test_what_cannot_be_reached_is_one_error(
    provider: type[AsyncioTransport], certified: tuple[str, str], tmp_path: Path
) -> None:
    async def client(site: Site, address: Any) -> None:
        secured = await site.listen(Binding(host="127.0.0.1", tls=TLS(server_context(certified[0]))))
        site.listeners[0].close()
        await asyncio.sleep(0.01)
        for place, tls in (
            (address, None),
            (str(tmp_path / "nowhere"), None),
            (secured, TLS(client_context(), server_hostname="localhost")),
            (secured, TLS(client_context())),
        ):
            with pytest.raises(ConnectFailed):
                await fetch(site.transport, place, tls)

    serving(provider, hello, client)
