"""Flaws that other servers and clients had, one test for each kind, named after it: what is held, and how much of it.

Those of parsing are in `conformance/test_websocket_regressions.py`.
"""

from __future__ import annotations

import asyncio
import tracemalloc
import zlib

import pytest
from support.sockets import PATIENT, served
from support.websocket_hand import MASK, Hand
from support.websocket_peer import ServerByHand, played, run

from highper_core.events import CloseConnection, Ping, Pong
from highper_core.frames import Opcode, serialize_frame
from highper_core.limits import Limits
from highper_core.permessage_deflate import DeflateSettings
from highper_http import App, WebSocket, WebSocketClosed, WebSocketListener, connect
from highper_transports.memory import MemoryTransport

KIB, MIB = 1024, 1024 * 1024


@pytest.mark.parametrize("size", [1, 1000, 100_000])
def test_unbounded_queue_of_messages_nobody_receives(size: int, engine_name: str) -> None:
    """Bandit CVE-2026-42786 and its like: a handler that does not receive stops its peer, whatever the sizes."""
    app = App(limits=PATIENT)
    go_on = asyncio.Event()
    received = []

    @app.websocket("/")
    async def busy(socket: WebSocket) -> None:
        await socket.accept()
        await go_on.wait()
        async for message in socket:
            received.append(len(message))

    async def main(transport: MemoryTransport) -> None:
        async with served(transport, app, engine_name) as site:
            hand = await Hand.dial(site)
            count = 8 * MIB // (size + 100)
            for _ in range(count):
                hand.send(Opcode.BINARY, bytes(size))
            hand.send(Opcode.CLOSE, b"\x03\xe8")
            await asyncio.sleep(10)
            [stream] = site.server._service.awake
            taken = stream.incoming.delivered
            # 16 messages or 1 MiB of them, and what was on its way in one read
            assert taken <= 2 * MIB + 16 * size
            assert hand.peer.stream.unwritten > 0
            go_on.set()
            while not isinstance(await hand.receive(), CloseConnection):
                pass
            assert received == [size] * count
            hand.peer.close()

    run(main)


def test_unbounded_queue_of_fragments(engine_name: str) -> None:
    """Counted in memory and not in fragments: a message of a million empty or tiny ones takes what its bytes take."""
    app = App(limits=PATIENT)
    received = []

    @app.websocket("/")
    async def one(socket: WebSocket) -> None:
        await socket.accept()
        async for message in socket:
            received.append(message)

    async def main(transport: MemoryTransport) -> None:
        async with served(transport, app, engine_name) as site:
            hand = await Hand.dial(site)
            hand.send(Opcode.BINARY, b"", finished=False)
            empty = serialize_frame(Opcode.CONTINUATION, b"", finished=False, mask=MASK)
            tiny = serialize_frame(Opcode.CONTINUATION, b"a", finished=False, mask=MASK)
            tracemalloc.start()
            try:
                for _ in range(20):
                    hand.peer.send((empty + tiny) * 1000)
                    await asyncio.sleep(0.01)
                before, _ = tracemalloc.get_traced_memory()
                for _ in range(20):
                    hand.peer.send((empty + tiny) * 1000)
                    await asyncio.sleep(0.01)
                after, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert after - before < 20_000 * 8
            hand.send(Opcode.CONTINUATION, b"")
            hand.send(Opcode.CLOSE, b"\x03\xe8")
            assert isinstance(await hand.receive(), CloseConnection)
            assert received == [b"a" * 40_000]
            hand.peer.close()

    run(main)


@pytest.mark.parametrize("style", ["coroutine", "listener"])
def test_unbounded_queue_of_answers_to_pings(style: str, engine_name: str) -> None:
    """Pings of a peer that reads nothing: of what it is owed no more is kept than a bound."""
    app = App(limits=PATIENT)
    if style == "coroutine":

        @app.websocket("/")
        async def quiet(socket: WebSocket) -> None:
            await socket.accept()
            async for _ in socket:
                pass

    else:
        app.websocket("/")(WebSocketListener)

    async def main(transport: MemoryTransport) -> None:
        async with served(transport, app, engine_name, limits=Limits(websocket_ping_interval=None)) as site:
            hand = await Hand.dial(site)
            hand.peer.stream.pause_reading()
            [stream] = site.server._service.awake
            for number in range(40_000):
                hand.send(Opcode.PING, number.to_bytes(4, "big") * 30)
                if number % 1000 == 0:
                    await asyncio.sleep(0.0001)
            await asyncio.sleep(1)
            assert stream.unwritten < 256 * KIB
            hand.peer.stream.resume_reading()
            last = Ping(b"the newest")
            hand.send(Opcode.PING, last.data)
            while True:
                event = await hand.receive()
                assert isinstance(event, Pong)
                if event.data == last.data:
                    break
            hand.send(Opcode.CLOSE, b"\x03\xe8")
            assert isinstance(await hand.receive(), CloseConnection)
            hand.peer.close()

    run(main)


@pytest.mark.parametrize("policy", ["block", "drop-oldest", "conflate", "close"])
def test_unbounded_queue_of_messages_to_a_slow_reader(policy: str, engine_name: str) -> None:
    """Whatever the policy, what waits for a peer that reads nothing stays bounded, and a stalled peer is ended."""
    app = App(limits=PATIENT)
    most = []

    @app.websocket("/", policy=policy)
    async def flood(socket: WebSocket) -> None:
        await socket.accept()
        try:
            for number in range(20_000):
                await socket.send_bytes(bytes(1000), key=number % 3)
                most.append(socket.unsent)
        except WebSocketClosed:
            pass

    async def main(transport: MemoryTransport) -> None:
        async with served(transport, app, engine_name) as site:
            hand = await Hand.dial(site)
            hand.peer.stream.pause_reading()
            await asyncio.sleep(1)
            assert max(most) <= 256 * KIB
            await asyncio.sleep(120)
            await site.settle()

    run(main)


def test_unbounded_queue_at_a_client(engine_name: str) -> None:
    """A server that floods is not read from, either."""

    async def main(transport: MemoryTransport) -> None:
        async def flood(server: ServerByHand) -> None:
            await server.accept()
            for _ in range(8000):
                server.send(bytes(1000))
            await server.end()

        async with played(transport, flood) as (url, servers):
            opening = connect(url, limits=PATIENT, transport=transport, engine=engine_name)
            async with opening as socket:
                await asyncio.sleep(10)
                assert servers[0].peer.stream.unwritten > 4 * MIB
                assert sum([len(message) async for message in socket]) == 8_000_000

    run(main)


@pytest.mark.parametrize("side", ["server", "client"])
def test_decompression_bomb(side: str, engine_name: str) -> None:
    """websockets CVE-2018-1000518: 64 MiB in 64 KiB are stopped at the bound of a message, before they are there."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = (squeeze.compress(bytes(64 * MIB)) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]
    settings = DeflateSettings()
    app = App(limits=PATIENT)
    ends = []

    @app.websocket("/", deflate=settings)
    async def take(socket: WebSocket) -> None:
        await socket.accept()
        try:
            await socket.receive()
        except WebSocketClosed as closed:
            ends.append(closed.code)

    async def at_server(transport: MemoryTransport) -> None:
        async with served(transport, app, engine_name) as site:
            hand = await Hand.dial(site, fields=b"sec-websocket-extensions: permessage-deflate\r\n")
            tracemalloc.start()
            hand.send(Opcode.BINARY, bomb, compressed=True)
            told = await hand.receive()
            assert isinstance(told, CloseConnection)
            assert told.code == 1009
            hand.peer.close()
            await site.settle()

    async def at_client(transport: MemoryTransport) -> None:
        async def throw(server: ServerByHand) -> None:
            agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
            await server.accept(f"sec-websocket-extensions: {agreed}")
            tracemalloc.start()
            server.peer.send(serialize_frame(Opcode.BINARY, bomb, compressed=True))

        async with played(transport, throw) as (url, _):
            opening = connect(url, deflate=settings, limits=PATIENT, transport=transport, engine=engine_name)
            async with opening as socket:
                with pytest.raises(WebSocketClosed) as caught:
                    await socket.receive()
                ends.append(caught.value.code)

    try:
        run(at_server if side == "server" else at_client)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert ends == [1009]
    assert peak < 4 * MIB
