"""Flaws that other servers and clients had, one test for each kind, named after it: hangs, spins and races at the end.

Those of parsing are in `conformance/test_websocket_regressions.py`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.providers import REAL
from support.sockets import PATIENT, UPGRADE, served
from support.websocket_hand import MASK, Hand
from support.websocket_peer import ServerByHand, played, run

from highper_core.events import CloseConnection, TextFragment
from highper_core.frames import Opcode, serialize_frame
from highper_http import App, WebSocket, WebSocketClosed, WebSocketListener, connect
from highper_http.websocket import ListenedSocket
from highper_transports.memory import MemoryTransport


def test_order_of_a_fault_behind_messages(engine_name: str) -> None:
    """aiohttp and Node let an error overtake an answer: ours leaves behind the echoes of what came before it."""
    app = App(limits=PATIENT)

    @app.websocket("/")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        async for message in socket:
            await socket.send_text(str(message))

    async def main(transport: MemoryTransport) -> None:
        async with served(transport, app, engine_name) as site:
            hand = await Hand.dial(site)
            good = b"".join(serialize_frame(Opcode.TEXT, b"%d" % number, mask=MASK) for number in range(5))
            hand.peer.send(good + b"\xff\x80" + MASK)
            said = [await hand.receive() for _ in range(6)]
            assert said[:5] == [TextFragment(str(number)) for number in range(5)]
            assert isinstance(said[5], CloseConnection)
            assert said[5].code == 1002
            hand.peer.close()

    run(main)


@pytest.mark.parametrize("ending", ["reset", "end", "fault"])
def test_hang_of_who_waits_when_the_stream_fails(ending: str, engine_name: str) -> None:
    """Whoever receives, sends under pressure, pings or closes is told at once."""
    app = App(limits=PATIENT)
    ends: list[str] = []

    async def note(what: str, wait: Any) -> None:
        try:
            await wait
        except WebSocketClosed:
            ends.append(what)

    async def press(socket: WebSocket) -> None:
        while True:
            await socket.send_bytes(bytes(10_000))

    @app.websocket("/")
    async def wait(socket: WebSocket) -> None:
        await socket.accept()
        waits = [("receive", socket.receive()), ("send", press(socket)), ("ping", socket.ping())]
        await asyncio.gather(*(note(what, one) for what, one in waits))

    async def main(transport: MemoryTransport) -> None:
        async with served(transport, app, engine_name) as site:
            hand = await Hand.dial(site)
            hand.peer.stream.pause_reading()
            await asyncio.sleep(1)
            assert ends == []
            if ending == "reset":
                hand.peer.reset()
            elif ending == "end":
                hand.peer.half_close()
            else:
                hand.peer.send(b"\xff\xff\xff\xff")
            await asyncio.sleep(1)
            assert sorted(ends) == ["ping", "receive", "send"]
            hand.peer.reset()
            await site.settle()

    run(main)


@pytest.mark.parametrize("held", ["reads", "writes"])
@pytest.mark.parametrize("provider", [one for one in REAL if one.name != "uvloop"], ids=lambda one: one.name)
def test_busy_loop_on_half_open_sockets(provider: Any, held: str, engine_name: str) -> None:
    """waitress CVE-2024-49769: a peer that ended its side is waited on, not spun on, while nobody receives or reads."""
    app = App(limits=PATIENT)
    entered = asyncio.Event()

    @app.websocket("/")
    async def busy(socket: WebSocket) -> None:
        await socket.accept()
        entered.set()
        if held == "reads":
            await asyncio.sleep(3600)
        while True:
            await socket.send_bytes(bytes(100_000))

    async def main(transport: Any) -> None:
        loop = asyncio.get_running_loop()
        async with served(transport, app, engine_name, drain=0.01) as site:
            with socket.create_connection(("127.0.0.1", site.server.port)) as peer:
                peer.setblocking(False)
                await loop.sock_sendall(peer, UPGRADE % (b"/", b""))
                await entered.wait()
                flood = serialize_frame(Opcode.BINARY, bytes(100_000), mask=MASK) * 20
                await loop.sock_sendall(peer, flood if held == "reads" else b"")
                await asyncio.sleep(0.2)
                peer.shutdown(socket.SHUT_WR)
                await asyncio.sleep(0.2)
                with turns(loop) as counted:
                    await asyncio.sleep(0.3)
                assert site.server._service.open == 1
                assert 0 < len(counted) < 20

    async def bounded(transport: Any) -> None:
        async with asyncio.timeout(60):
            await main(transport)

    provider.run(bounded)


@contextmanager
def turns(loop: Any) -> Iterator[list[None]]:
    """Count the turns of a loop: how often it asks its selector."""
    counted: list[None] = []
    select = loop._selector.select

    def counting(timeout: float | None = None) -> Any:
        counted.append(None)
        return select(timeout)

    loop._selector.select = counting
    try:
        yield counted
    finally:
        del loop._selector.select


def test_close_race_of_both_sides(engine_name: str) -> None:
    """Both close at the same moment: each Close answers the other, and each side has the code it received."""
    app = App(limits=PATIENT)
    codes = []

    @app.websocket("/")
    async def leave(socket: WebSocket) -> None:
        await socket.accept()
        await asyncio.sleep(1)
        await socket.close(4001, "server")
        codes.append((socket.close_code, socket.close_reason))

    async def main(transport: MemoryTransport) -> None:
        transport.latency = 0.2
        async with served(transport, app, engine_name) as site:
            async with site.socket("/") as socket:
                await asyncio.sleep(0.9)  # the server's is on its way
                await socket.close(4002, "client")
            assert codes == [(4002, "client")]
            assert (socket.close_code, socket.close_reason) == (4001, "server")
            await site.settle()

    run(main)


@pytest.mark.parametrize("style", ["coroutine", "listener"])
def test_close_race_of_a_message_and_a_close(style: str, engine_name: str) -> None:
    """Sends into a WebSocket that the peer has closed meanwhile are refused, and nothing follows our Close."""
    app = App(limits=PATIENT)
    late: list[Any] = []
    if style == "coroutine":

        @app.websocket("/")
        async def slow(socket: WebSocket) -> None:
            await socket.accept()
            message = await socket.receive_text()
            await asyncio.sleep(1)
            try:
                await socket.send_text(message)
            except WebSocketClosed as closed:
                late.append(closed.code)

    else:

        @app.websocket("/")
        class Slow(WebSocketListener):
            def on_text(self, socket: ListenedSocket, text: str) -> None:
                asyncio.get_running_loop().call_later(1, lambda: late.append(socket.try_send(text)))

    async def main(transport: MemoryTransport) -> None:
        async with served(transport, app, engine_name) as site:
            hand = await Hand.dial(site)
            hand.send(Opcode.TEXT, b"late")
            hand.send(Opcode.CLOSE, b"\x0f\xa3")
            assert await hand.receive() == CloseConnection(4003, "")
            await asyncio.sleep(2)
            assert late == ([4003] if style == "coroutine" else [False])
            assert await hand.peer.receive_all() == b""
            hand.peer.close()

    run(main)


def test_close_race_of_two_tasks(engine_name: str) -> None:
    """Any number may close at once, and each waits for the same end."""

    async def main(transport: MemoryTransport) -> None:
        async def play(server: ServerByHand) -> None:
            await server.accept()
            await asyncio.sleep(3)
            assert isinstance(await server.receive(), CloseConnection)
            server.peer.close()

        async with played(transport, play) as (url, _):
            socket = await connect(url, limits=PATIENT, transport=transport, engine=engine_name).open()
            began = transport.now()
            await asyncio.gather(socket.close(4000), socket.close(4001), socket.wait_closed())
            assert transport.now() - began == pytest.approx(3, abs=0.1)
            assert socket.close_code == 4000

    run(main)
