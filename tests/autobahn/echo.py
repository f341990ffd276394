"""An echo server and an echo client on the core alone, for the Autobahn suite to judge.

Usage: python tests/autobahn/echo.py server --engine E [--deflate]
       python tests/autobahn/echo.py client --engine E [--deflate] --port PORT --agent NAME

Text goes back as text, bytes as bytes, up to 64 MiB. The server prints the port it listens on. The client asks how many
cases there are, runs each, and asks for the report.
"""

from __future__ import annotations

import argparse
import asyncio
import os

from highper_core import (
    NEED_DATA,
    PAUSED,
    Connection,
    Event,
    HttpConnection,
    Limits,
    RemoteProtocolError,
    Request,
    Response,
    Role,
)
from highper_core.engines import WebSocketConnection
from highper_core.events import BytesFragment, InformationalResponse, TextFragment
from highper_core.handshake import ClientOpening, read_opening, refusal
from highper_core.permessage_deflate import Deflate, DeflateSettings
from highper_core.websocket import WebSocket

LIMITS = Limits(websocket_message=64 * 1024 * 1024, websocket_ping_interval=None)
# What the suite asks for it gets: contexts are kept unless it does not want that.
DEFLATE = DeflateSettings(server_no_context_takeover=False, client_no_context_takeover=False, memory=1 << 20)
READ = 256 * 1024


async def echo(
    socket: WebSocket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes, mute: bool = False
) -> str:
    """Send back what comes, unless mute, until the stream is to be closed; return the last message that was text."""
    loop = asyncio.get_running_loop()
    text = ""
    while True:
        if data:
            socket.receive_data(data, loop.time())
        try:
            while (event := socket.next_event()) is not NEED_DATA:
                if isinstance(event, TextFragment):
                    text = event.text
                    if not mute:
                        socket.send_message(event.text)
                elif isinstance(event, BytesFragment):
                    socket.send_message(bytes(event.data))
        except RemoteProtocolError:
            pass  # what is to be said has been framed
        writer.write(socket.data_to_send())
        if socket.must_close:
            return text
        try:
            await writer.drain()
            data = await reader.read(READ)
        except ConnectionError:  # the suite does not always wait for us
            return text
        if not data:
            socket.receive_data(b"", loop.time())


async def serve(engine: str, deflate: DeflateSettings | None) -> None:
    """Serve until the process is ended."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            http = HttpConnection(Role.SERVER, engine)
            request = await _head(http, reader)
            assert isinstance(request, Request)
            try:
                acceptance = read_opening(request).accept(deflate=deflate)
            except RemoteProtocolError as error:
                http.send_message(*refusal(error.fault))
                writer.write(http.data_to_send())
                return
            while http.next_event() is not PAUSED:
                pass
            http.send(acceptance.response)
            writer.write(http.data_to_send())
            socket = WebSocketConnection(Role.SERVER, engine, LIMITS, deflate=acceptance.deflate)
            await echo(socket, reader, writer, http.trailing_data[0])
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _head(http: Connection, reader: asyncio.StreamReader) -> Event:
    while (event := http.next_event()) is NEED_DATA:
        http.receive_data(await reader.read(READ), asyncio.get_running_loop().time())
    assert isinstance(event, Event)
    return event


async def call(port: int, target: str, engine: str, deflate: DeflateSettings | None, mute: bool = False) -> str:
    """Open a WebSocket and echo, unless mute; return the last text that came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        http = HttpConnection(Role.CLIENT, engine)
        host = b"127.0.0.1:%d" % port
        opening = ClientOpening(host, target.encode(), nonce=os.urandom(16), deflate=deflate)
        http.send_message(opening.request)
        writer.write(http.data_to_send())
        response = await _head(http, reader)
        assert isinstance(response, InformationalResponse | Response)
        acceptance = opening.judge(response)
        assert acceptance is not None
        agreed: Deflate | None = acceptance.deflate
        socket = WebSocketConnection(Role.CLIENT, engine, LIMITS, deflate=agreed, mask_source=os.urandom)
        return await echo(socket, reader, writer, http.trailing_data[0], mute)
    finally:
        writer.close()


async def ask(port: int, agent: str, engine: str, deflate: DeflateSettings | None) -> None:
    """Run every case of a fuzzing server."""
    count = int(await call(port, "/getCaseCount", engine, None, mute=True))
    for case in range(1, count + 1):
        await call(port, f"/runCase?case={case}&agent={agent}", engine, deflate)
    await call(port, f"/updateReports?agent={agent}", engine, None, mute=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("side", choices=["server", "client"])
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--deflate", action="store_true")
    parser.add_argument("--port", type=int)
    parser.add_argument("--agent", default="highper")
    options = parser.parse_args()
    settings = DEFLATE if options.deflate else None
    if options.side == "server":
        asyncio.run(serve(options.engine, settings))
    else:
        asyncio.run(ask(options.port, options.agent, options.engine, settings))
