"""Servers of others that echo WebSocket messages, each in a thread and a loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

import aiohttp.web
import picows
import websockets.asyncio.server
import wsproto
import wsproto.events

__all__ = ["SERVERS", "in_background"]

Serving = Callable[[bool], AbstractAsyncContextManager[int]]

LARGE = 16 << 20


@asynccontextmanager
async def _websockets(deflate: bool) -> AsyncIterator[int]:
    async def echo(socket: websockets.asyncio.server.ServerConnection) -> None:
        async for message in socket:
            if isinstance(message, str) and message.startswith("close "):
                _, code, reason = message.split(" ", 2)
                await socket.close(int(code), reason)
            else:
                await socket.send(message)

    options: dict[str, Any] = {"max_size": LARGE, "compression": "deflate" if deflate else None}
    options["subprotocols"] = [websockets.Subprotocol("chat")]
    async with websockets.asyncio.server.serve(echo, "127.0.0.1", 0, **options) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@asynccontextmanager
async def _aiohttp(deflate: bool) -> AsyncIterator[int]:
    async def echo(request: aiohttp.web.Request) -> aiohttp.web.WebSocketResponse:
        socket = aiohttp.web.WebSocketResponse(compress=deflate, max_msg_size=LARGE, protocols=("chat",))
        await socket.prepare(request)
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                await socket.send_bytes(message.data)
            elif message.data.startswith("close "):
                _, code, reason = message.data.split(" ", 2)
                await socket.close(code=int(code), message=reason.encode())
            else:
                await socket.send_str(message.data)
        return socket

    app = aiohttp.web.Application()
    app.router.add_get("/", echo)
    runner = aiohttp.web.AppRunner(app, access_log=None)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class _Listener(picows.WSListener):  # type: ignore[misc]
    def __init__(self) -> None:
        self.text: picows.WSMsgType | None = None
        self.parts = bytearray()

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
            return
        if frame.msg_type == picows.WSMsgType.PONG:
            return
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
            return
        if frame.msg_type != picows.WSMsgType.CONTINUATION:
            self.text = frame.msg_type
        self.parts += frame.get_payload_as_bytes()
        if not frame.fin:
            return
        message = bytes(self.parts)
        self.parts.clear()
        if message.startswith(b"close "):
            _, code, reason = message.split(b" ", 2)
            transport.send_close(int(code), reason)
        else:
            transport.send(self.text, message)


@asynccontextmanager
async def _picows(deflate: bool) -> AsyncIterator[int]:
    server = await picows.ws_create_server(lambda request: _Listener(), "127.0.0.1", 0, max_frame_size=LARGE)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def _wsproto(deflate: bool) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
        parts: list[Any] = []
        while data := await reader.read(65536):
            connection.receive_data(data)
            for event in connection.events():
                for answer in _answers(event, parts, deflate):
                    writer.write(connection.send(answer))
            await writer.drain()
            if connection.state is wsproto.connection.ConnectionState.CLOSED:
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def _answers(event: Any, parts: list[Any], deflate: bool) -> Iterator[Any]:
    if isinstance(event, wsproto.events.Request):
        extensions = [wsproto.extensions.PerMessageDeflate()] if deflate else []
        chosen = "chat" if "chat" in event.subprotocols else None
        yield wsproto.events.AcceptConnection(subprotocol=chosen, extensions=extensions)
    elif isinstance(event, wsproto.events.Ping | wsproto.events.CloseConnection):
        yield event.response()
    elif isinstance(event, wsproto.events.TextMessage | wsproto.events.BytesMessage):
        parts.append(event.data)
        if event.message_finished:
            message = type(parts[0])().join(parts)
            parts.clear()
            if isinstance(message, str) and message.startswith("close "):
                _, code, reason = message.split(" ", 2)
                yield wsproto.events.CloseConnection(code=int(code), reason=reason)
            else:
                yield type(event)(data=message)


SERVERS: dict[str, Serving] = {
    "websockets": _websockets,
    "aiohttp": _aiohttp,
    "picows": _picows,  # which compresses nothing
    "wsproto": _wsproto,
}


@contextmanager
def in_background(serving: Serving, deflate: bool) -> Iterator[int]:
    """Serve in a thread; yield the port."""
    ready = threading.Event()
    box: dict[str, Any] = {}

    async def main() -> None:
        box["loop"], box["end"] = asyncio.get_running_loop(), asyncio.Event()
        async with serving(deflate) as box["port"]:
            ready.set()
            await box["end"].wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(10), "the server does not start"
    try:
        yield box["port"]
    finally:
        box["loop"].call_soon_threadsafe(box["end"].set)
        thread.join(10)
        assert not thread.is_alive()
