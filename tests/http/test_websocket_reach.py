"""A client reaches a server over every provider: plain, by TLS, by a Unix socket, through proxies, many at once."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from support.exchanges import Site
from support.providers import REAL
from support.takeovers import connect as tunnel
from support.tls_peer import certificates

from highper_core.limits import Limits
from highper_http import App, Server, WebSocket, connect
from highper_transports.errors import ConnectFailed
from highper_transports.exchange import Exchange
from highper_transports.tls import TLS

Main = Callable[[Any], Coroutine[Any, Any, None]]

app = App()


@app.websocket("/echo")
async def echo(opened: WebSocket) -> None:
    """Send back what comes."""
    await opened.accept()
    async for message in opened:
        await opened.send_bytes(message)


@pytest.fixture(params=REAL, ids=lambda provider: provider.name)
def run(request: pytest.FixtureRequest) -> Callable[[Main], None]:
    def start(main: Main) -> None:
        async def bounded(transport: Any) -> None:
            async with asyncio.timeout(30):
                await main(transport)

        request.param.run(bounded)

    return start


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> tuple[TLS, TLS]:
    return certificates(tmp_path_factory.mktemp("tls"))


class Serving:
    """The application, served by a transport that is at hand."""

    def __init__(self, transport: Any, **options: Any) -> None:
        self.transport = transport
        self.server = Server(app, port=0, access_log=False, **options)

    async def __aenter__(self) -> Server:
        await self.server.start(self.transport)
        return self.server

    async def __aexit__(self, *error: object) -> None:
        await self.server.finish()


async def talk(url: str, **options: Any) -> None:
    async with connect(url, **options) as opened:
        for message in (b"", b"a", bytes(300_000)):
            await opened.send_bytes(message)
            assert await opened.receive() == message
    assert opened.close_code == 1000


def test_tls_is_spoken_and_the_certificate_checked(run: Any, secured: tuple[TLS, TLS]) -> None:
    server_tls, client_tls = secured

    async def main(transport: Any) -> None:
        async with Serving(transport, ssl=server_tls.context) as server:
            url = f"wss://127.0.0.1:{server.port}/echo"
            await talk(url, ssl=client_tls.context, transport=transport)
            for wrong in ({"ssl": client_tls.context, "server_hostname": "other.example"}, {}):
                with pytest.raises(ConnectFailed) as caught:
                    await talk(url, transport=transport, **wrong)
                assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)

    run(main)


def test_a_unix_socket_is_reached_by_its_path(run: Any, tmp_path: Path) -> None:
    async def main(transport: Any) -> None:
        path = str(tmp_path / "app.sock")
        async with Serving(transport, bind=[f"unix:{path}"]):
            await talk("ws://site.example/echo", address=path, transport=transport)

    run(main)


@pytest.mark.parametrize("proxy_secured", [False, True], ids=["plain-proxy", "secured-proxy"])
@pytest.mark.parametrize("peer_secured", [False, True], ids=["plain", "tls"])
def test_a_proxy_is_passed(run: Any, secured: tuple[TLS, TLS], peer_secured: bool, proxy_secured: bool) -> None:
    server_tls, client_tls = secured

    async def main(transport: Any) -> None:
        async def proxy(exchange: Exchange) -> None:
            await tunnel(exchange, transport)

        options: dict[str, Any] = {"ssl": server_tls.context} if peer_secured else {}
        async with (
            Serving(transport, **options) as server,
            Site(transport, proxy, tls=server_tls if proxy_secured else None) as near,
        ):
            scheme = "wss" if peer_secured else "ws"
            await talk(
                f"{scheme}://127.0.0.1:{server.port}/echo",
                proxy=f"{'https' if proxy_secured else 'http'}://127.0.0.1:{near[1]}",
                proxy_ssl=client_tls.context if proxy_secured else None,
                ssl=client_tls.context if peer_secured else None,
                transport=transport,
            )

    run(main)


def test_many_at_once_over_a_provider_that_joins_the_loop(run: Any) -> None:
    """Two hundred clients of one loop, none of which was given a transport."""

    async def main(transport: Any) -> None:
        async with Serving(transport) as server:
            url = f"ws://127.0.0.1:{server.port}/echo"
            await asyncio.gather(*(talk(url, transport=transport.name) for _ in range(200)))
            await asyncio.gather(*(talk(url) for _ in range(10)))

    run(main)


def test_a_server_that_accepts_and_says_nothing_is_given_up(run: Any) -> None:
    """Whether it should speak first, by TLS, or as a proxy."""

    async def main(transport: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            for url in (f"ws://127.0.0.1:{port}/", f"wss://127.0.0.1:{port}/"):
                with pytest.raises(ConnectFailed):
                    await talk(url, timeout=0.2, transport=transport)
            with pytest.raises(ConnectFailed):
                await talk("ws://far.example/", proxy=f"http://127.0.0.1:{port}", timeout=0.2, transport=transport)

    run(main)


def test_a_slow_reader_holds_its_server_up_and_nobody_else(run: Any) -> None:
    """64 MiB, more than the system takes, for one that does not receive: the sender waits, others are served, and all
    of it comes at last.
    """
    flooding = App(limits=Limits(websocket_ping_interval=None))
    sent = [0]

    @flooding.websocket("/flood")
    async def flood(opened: WebSocket) -> None:
        await opened.accept()
        for _ in range(1024):
            await opened.send_bytes(bytes(65_536))
            sent[0] += 1
            assert opened.unsent < 192 * 1024

    flooding.websocket("/echo")(echo)

    async def main(transport: Any) -> None:
        server = Server(flooding, port=0, access_log=False)
        await server.start(transport)
        place = f"ws://127.0.0.1:{server.port}"
        async with connect(place + "/flood", transport=transport) as opened:
            await talk(place + "/echo", transport=transport)
            await asyncio.sleep(0.3)
            assert sent[0] < 1024
            assert sum([len(message) async for message in opened]) == 1024 * 65_536
        await server.finish()

    run(main)
