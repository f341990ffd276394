"""WebSockets of others: their clients at our server, our client at their servers, on every transport."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import picows
import pytest
import websockets.asyncio.client
import websockets.exceptions
import wsproto
import wsproto.events
from http_command import free_port, running
from support.providers import REAL, REAL_NAMES
from support.websocket_servers import SERVERS, in_background

import highper_http
from highper_core import available
from highper_core.limits import Limits
from highper_core.permessage_deflate import DeflateSettings
from highper_http import WebSocketClosed, connect

HERE = Path(__file__).parent
INSTALLED = Path(highper_http.__file__).parents[1]
MESSAGES: list[str | bytes] = [
    *("", "a", "\u20ac \U0001f600 \x00", "x" * 125, "x" * 126, "y" * 65_535, "z" * 65_536),
    *(b"", b"\0", bytes(range(256)), os.urandom(1_000_000), b"q" * 3_000_000),
]
LARGE = Limits(websocket_message=16 << 20)


# Their clients, our server


ENGINES = [name for name, reason in available().items() if reason is None]
OURS = [(transport, engine) for transport in REAL_NAMES for engine in ENGINES]


@pytest.fixture(scope="module", params=OURS, ids="-".join)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where our server is."""
    port = free_port()
    transport, engine = request.param
    command = [sys.executable, "-P", "-m", "highper_http", "run", "websocket_app:app", "--port", str(port)]
    command += ["--transport", transport, "--engine", engine, "--no-access-log", "--log-level", "critical"]
    path = os.pathsep.join([str(INSTALLED), os.environ.get("PYTHONPATH", "")])
    with running(command, port, cwd=HERE, env={**os.environ, "PYTHONPATH": path}) as process:
        yield f"ws://127.0.0.1:{port}"
        assert process.poll() is None


@pytest.mark.parametrize("path", ["/echo", "/deflate", "/kept", "/listener"])
def test_websockets_as_a_client(url: str, path: str) -> None:
    async def scenario() -> None:
        options: dict[str, Any] = {"max_size": None, "subprotocols": ["soup"]}
        async with websockets.asyncio.client.connect(url + path, **options) as client:
            assert client.subprotocol == ("soup" if path in ("/echo", "/listener") else None)
            assert bool(client.protocol.extensions) is (path != "/echo")
            for message in MESSAGES * 2:
                await client.send(message)
                assert await client.recv() == message
            await client.send(["frag", "men", "ts"])
            assert await client.recv() == "fragments"
            await (await client.ping(b"there?"))
            await client.send("close 4001 enough")
            with pytest.raises(websockets.exceptions.ConnectionClosed) as caught:
                await client.recv()
            assert caught.value.rcvd is not None
            assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4001, "enough")
        async with websockets.asyncio.client.connect(url + "/pieces") as client:
            await client.send("pieces \u20ac")
            assert [piece async for piece in client.recv_streaming()][:-1] == list("pieces \u20ac")

    anyio.run(scenario)


def test_websockets_is_denied(url: str) -> None:
    async def scenario() -> None:
        with pytest.raises(websockets.exceptions.InvalidStatus) as caught:
            await websockets.asyncio.client.connect(url + "/deny")
        assert caught.value.response.status_code == 403
        assert caught.value.response.body == b"not you"

    anyio.run(scenario)


@pytest.mark.parametrize(
    ("path", "compress"), [("/echo", 0), ("/deflate", 15), ("/kept", 15), ("/kept", 10), ("/listener", 15)]
)
def test_aiohttp_as_a_client(url: str, path: str, compress: int) -> None:
    async def scenario() -> None:
        async with aiohttp.ClientSession() as session:
            options: dict[str, Any] = {"max_msg_size": 0, "compress": compress, "protocols": ["chat"]}
            async with session.ws_connect(url + path, **options) as client:
                assert client.protocol == ("chat" if path in ("/echo", "/listener") else None)
                assert bool(client.compress) is bool(compress)
                for message in MESSAGES * 2:
                    if isinstance(message, str):
                        await client.send_str(message)
                    else:
                        await client.send_bytes(message)
                    assert (await client.receive()).data == message
                await client.send_str("close 4001 enough")
                end = await client.receive()
                assert (end.type, end.data, end.extra) == (aiohttp.WSMsgType.CLOSE, 4001, "enough")

    anyio.run(scenario)


class PicowsClient(picows.WSListener):  # type: ignore[misc]
    """Puts what comes into a queue."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[tuple[Any, bytes]] = asyncio.Queue()

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        content = frame.get_payload_as_bytes()
        self.came.put_nowait((frame.msg_type, content))
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()


@pytest.mark.parametrize("path", ["/echo", "/listener"])
def test_picows_as_a_client(url: str, path: str) -> None:
    async def scenario() -> None:
        transport, client = await picows.ws_connect(PicowsClient, url + path, max_frame_size=LARGE.websocket_message)
        for message in MESSAGES:
            kind = picows.WSMsgType.TEXT if isinstance(message, str) else picows.WSMsgType.BINARY
            content = message.encode() if isinstance(message, str) else message
            transport.send(kind, content)
            assert await client.came.get() == (kind, content)
        transport.send_ping(b"there?")
        assert await client.came.get() == (picows.WSMsgType.PONG, b"there?")
        transport.send(picows.WSMsgType.TEXT, b"close 4001 enough")
        assert await client.came.get() == (picows.WSMsgType.CLOSE, (4001).to_bytes(2, "big") + b"enough")
        await transport.wait_disconnected()

    anyio.run(scenario)


class WsprotoClient:
    """wsproto on a socket."""

    def __init__(self, url: str, path: str, extensions: list[Any]) -> None:
        host, _, port = url.removeprefix("ws://").rpartition(":")
        self.socket = socket.create_connection((host, int(port)), 30)
        self.connection = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        self.send(wsproto.events.Request(host=host, target=path, extensions=extensions, subprotocols=["soup"]))

    def send(self, event: wsproto.events.Event) -> None:
        self.socket.sendall(self.connection.send(event))

    def receive(self) -> Any:
        """Return the next event; messages joined."""
        parts: list[Any] = []
        while True:
            for event in self.connection.events():
                if not isinstance(event, wsproto.events.Message):
                    return event
                parts.append(event.data)
                if event.message_finished:
                    return type(parts[0])().join(parts)
            self.connection.receive_data(self.socket.recv(65536) or None)


@pytest.mark.parametrize("path", ["/echo", "/deflate", "/kept", "/listener"])
def test_wsproto_as_a_client(url: str, path: str) -> None:
    extensions = [] if path == "/echo" else [wsproto.extensions.PerMessageDeflate()]
    client = WsprotoClient(url, path, extensions)
    with closing(client.socket):
        accepted = client.receive()
        assert isinstance(accepted, wsproto.events.AcceptConnection)
        assert bool(accepted.extensions) is (path != "/echo")
        for message in MESSAGES * 2:
            client.send(wsproto.events.Message(data=message))
            assert client.receive() == message
        client.send(wsproto.events.Ping(b"there?"))
        assert client.receive() == wsproto.events.Pong(b"there?")
        client.send(wsproto.events.Message(data="frag", message_finished=False))
        client.send(wsproto.events.Message(data="ments"))
        assert client.receive() == "fragments"
        client.send(wsproto.events.Message(data="close 4001 enough"))
        end = client.receive()
        assert (end.code, end.reason) == (4001, "enough")
        client.send(end.response())
        assert client.socket.recv(1) == b""


# Our client, their servers


@pytest.mark.parametrize("deflate", [False, True], ids=["plain", "deflate"])
@pytest.mark.parametrize("peer", SERVERS)
@pytest.mark.parametrize("provider", REAL, ids=lambda provider: provider.name)
def test_our_client_at_their_server(provider: Any, peer: str, deflate: bool, engine_name: str) -> None:
    settings = DeflateSettings(server_no_context_takeover=False, client_no_context_takeover=False, memory=1 << 20)

    async def scenario(port: int, transport: Any) -> None:
        opening = connect(
            f"ws://127.0.0.1:{port}/",
            subprotocols=["soup", "chat"],
            deflate=settings if deflate else None,
            limits=LARGE,
            transport=transport,
            engine=engine_name,
        )
        async with opening as client:
            if peer != "picows":
                assert client.subprotocol == "chat"
                assert (client.window_bits is not None) is deflate
            for message in MESSAGES * 2:
                if isinstance(message, str):
                    await client.send_text(message)
                else:
                    await client.send_bytes(message)
                assert await client.receive() == message
            async with client.stream(text=True) as send:
                for piece in ("frag", "men", "ts"):
                    await send(piece)
            assert await client.receive_text() == "fragments"
            assert await client.ping() >= 0
            await client.send_text("close 4001 enough")
            with pytest.raises(WebSocketClosed) as caught:
                await client.receive()
            assert (caught.value.code, caught.value.reason) == (4001, "enough")
        again = connect(f"ws://127.0.0.1:{port}/", subprotocols=["chat"], transport=transport, engine=engine_name)
        async with again as client:
            await client.close(4002, "done")
            # the code of the Close that was received (RFC 6455 section 7.1.5); aiohttp does not send ours back
            assert client.close_code == (1000 if peer == "aiohttp" else 4002)

    async def main(transport: Any) -> None:
        async with asyncio.timeout(60):
            await scenario(port, transport)

    with in_background(SERVERS[peer], deflate) as port:
        provider.run(main)
