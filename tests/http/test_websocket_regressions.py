"""Flaws that other servers and clients of WebSockets had, one test for each kind, named after it.

Those of parsing are in `conformance/test_websocket_regressions.py`; these are about what is held, for how long, and in
which order, over whole servers and clients.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import tracemalloc
import zlib
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.providers import REAL
from support.sockets import UPGRADE, Served, served
from support.websocket_peer import ServerByHand, played

from highper_core.engines import WebSocketConnection
from highper_core.errors import LocalProtocolError
from highper_core.events import NEED_DATA, CloseConnection, Event, Ping, Pong, TextFragment
from highper_core.frames import Opcode, serialize_frame
from highper_core.limits import Limits
from highper_core.permessage_deflate import DeflateSettings
from highper_core.state import Role
from highper_http import App, WebSocket, WebSocketClosed, WebSocketListener, connect
from highper_http.websocket import ListenedSocket
from highper_transports.memory import MemoryTransport, Peer

KIB, MIB = 1024, 1024 * 1024
PATIENT = Limits(websocket_ping_interval=None)
MASK = b"\x01\x02\x03\x04"

Main = Callable[[MemoryTransport], Coroutine[Any, Any, None]]


def run(main: Main) -> None:
    async def bounded(transport: MemoryTransport) -> None:
        async with asyncio.timeout(3600):
            await main(transport)

    MemoryTransport.run(bounded)


class Hand:
    """A client that is played by hand, its opening handshake done."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.core = WebSocketConnection(Role.CLIENT, "auto", PATIENT, mask_source=os.urandom)

    @classmethod
    async def dial(cls, site: Served, path: bytes = b"/", fields: bytes = b"") -> Hand:
        peer = await site.transport.dial(site.address)
        peer.send(UPGRADE % (path, fields))
        head = await peer.receive_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        return cls(peer)

    def send(self, opcode: Opcode, payload: bytes, finished: bool = True, compressed: bool = False) -> None:
        """Send a frame, whatever the core would say to it."""
        self.peer.send(serialize_frame(opcode, payload, finished=finished, compressed=compressed, mask=MASK))

    async def receive(self) -> Event:
        while (event := self.core.next_event()) is NEED_DATA:
            data = await self.peer.receive()
            assert data, "the stream ended without a Close"
            self.core.receive_data(data)
        assert isinstance(event, Event)
        return event


# unbounded queues


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


# decompression bombs


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


# order of answers


def test_order_of_answers_with_an_upgrade_behind_a_request() -> None:
    """Twisted CVE-2023-46137 and its like: the 101 waits for the answer before it, the frames for the 101."""
    app = App(limits=PATIENT)

    @app.get("/slow")
    async def slow(req: Any) -> str:
        await asyncio.sleep(5)
        return "slow"

    @app.websocket("/")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("first")
        async for message in socket:
            await socket.send_text(f"echo {message}")

    async def main(transport: MemoryTransport) -> None:
        async with served(transport, app) as site:
            peer = await transport.dial(site.address)
            early = serialize_frame(Opcode.TEXT, b"early", mask=MASK)
            peer.send(b"GET /slow HTTP/1.1\r\nhost: site.example\r\n\r\n" + UPGRADE % (b"/", b"") + early)
            await asyncio.sleep(6)
            peer.send(serialize_frame(Opcode.CLOSE, b"", mask=MASK))
            all_of_it = await peer.receive_all()
            first, _, rest = all_of_it.partition(b"HTTP/1.1 101 ")
            assert first.endswith(b"slow")
            assert rest.partition(b"\r\n\r\n")[2] == b"\x81\x05first\x81\x0aecho early\x88\x00"
            peer.close()

    run(main)


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


# content left unread


@pytest.mark.parametrize("path", [b"/", b"/denied", b"/nowhere"])
@pytest.mark.parametrize("framing", [b"content-length: %d\r\n", b"transfer-encoding: chunked\r\n"])
def test_content_left_unread_behind_a_refused_upgrade(path: bytes, framing: bytes) -> None:
    """aiohttp's fix: what comes as content of a refused handshake is never read as a request."""
    app = App(limits=PATIENT)
    smuggled = []

    @app.websocket("/")
    async def never(socket: WebSocket) -> None:
        raise AssertionError("an opening handshake has no content")

    @app.websocket("/denied")
    async def denied(socket: WebSocket) -> None:
        await socket.deny(403)

    @app.get("/smuggled")
    async def admin(req: Any) -> str:
        smuggled.append(req.path)
        return "smuggled"

    async def main(transport: MemoryTransport) -> None:
        async with served(transport, app) as site:
            peer = await transport.dial(site.address)
            inner = b"GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n"
            if b"%d" in framing:
                peer.send(UPGRADE % (path, framing % len(inner)) + inner)
            else:
                peer.send(UPGRADE % (path, framing) + b"%x\r\n" % len(inner) + inner + b"\r\n0\r\n\r\n")
            answer = await peer.receive_until(b"\r\n\r\n")
            assert answer[9:10] == b"4"
            await asyncio.sleep(100)
            assert smuggled == []
            peer.close()

    run(main)


# odd bytes in the handshake


@pytest.mark.parametrize(
    "line",
    [
        b"sec-websocket-protocol: \xff\xfe",
        b"sec-websocket-protocol: ch\xc3\xa4t",
        b"sec-websocket-protocol: ,",
        b"sec-websocket-protocol: a b",
        b"sec-websocket-extensions: \xff",
        b"sec-websocket-extensions: permessage-deflate; server_max_window_bits=\xb2",
        b"sec-websocket-key: \xff",
        b"sec-websocket-version: \xb2",
        b"origin: \xff\xfe://",
    ],
)
def test_crash_on_odd_bytes(line: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Granian CVE-2026-42544: a bad handshake costs one connection an answer, and the next is served."""
    app = App(limits=PATIENT)

    @app.websocket("/", subprotocols=["chat"])
    async def echo(socket: WebSocket) -> None:
        await socket.accept()

    async def main(transport: MemoryTransport) -> None:
        async with served(transport, app) as site:
            peer = await transport.dial(site.address)
            peer.send(UPGRADE % (b"/", line + b"\r\n"))
            answer = await peer.receive_until(b"\r\n\r\n")
            assert answer[9:10] == b"4", answer
            peer.close()
            hand = await Hand.dial(site)
            hand.peer.close()

    with caplog.at_level(logging.WARNING):
        run(main)
    assert caplog.records == []


# hosts and names that are trusted


@pytest.mark.parametrize(
    ("was", "instead", "status"),
    [
        (b"host: site.example\r\n", b"", b"400"),
        (b"host: site.example\r\n", b"host: site.example\r\nhost: evil.example\r\n", b"400"),
        (b"host: site.example\r\n", b"host: evil.example/?site.example\r\n", b"400"),
        (b"\r\n\r\n", b"\r\norigin: http://evil.example\r\nx-forwarded-host: evil.example\r\n\r\n", b"403"),
        (b"\r\n\r\n", b"\r\norigin: http://site.example.evil.example\r\n\r\n", b"403"),
        (b"\r\n\r\n", b"\r\norigin: http://evil.example#site.example\r\n\r\n", b"403"),
        (b"\r\n\r\n", b"\r\norigin : http://site.example\r\n\r\n", b"400"),
        (b"sec-websocket-key:", b"sec_websocket_key:", b"400"),
        (b"sec-websocket-version:", b"sec_websocket_version:", b"426"),
        (b"upgrade: websocket", b"upgrade: webso\xe2\x84\xaaet", b"400"),
    ],
)
def test_host_trusted_and_names_normalised(was: bytes, instead: bytes, status: bytes, engine_name: str) -> None:
    """Starlette CVE-2026-48710, aiohttp CVE-2023-37276: no host that nobody said, no name that is another."""
    app = App(limits=PATIENT)
    opened = []

    @app.websocket("/")
    async def never(socket: WebSocket) -> None:
        opened.append(socket)
        await socket.accept()

    async def main(transport: MemoryTransport) -> None:
        async with served(transport, app, engine_name) as site:
            peer = await transport.dial(site.address)
            opening = UPGRADE % (b"/", b"")
            assert was in opening
            peer.send(opening.replace(was, instead))
            answer = await peer.receive_until(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 " + status), answer
            assert opened == []
            peer.close()
            (await Hand.dial(site)).peer.close()

    run(main)


# hang after a late error


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


# busy loops


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


# injection


@pytest.mark.parametrize("text", ["a\r\nset-cookie: evil=1", "a\nb", "a\0b"])
def test_injection_into_the_acceptance(text: str) -> None:
    """What would split the 101 is refused, and answered 500."""
    app = App(limits=PATIENT)
    refused = []

    @app.websocket("/")
    async def inject(socket: WebSocket) -> None:
        try:
            await socket.accept(headers=[("x-name", text)])
        except LocalProtocolError as error:
            refused.append(error)
            raise

    async def main(transport: MemoryTransport) -> None:
        async with served(transport, app) as site:
            peer = await transport.dial(site.address)
            peer.send(UPGRADE % (b"/", b""))
            answer = await peer.receive_until(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 500 ")
            assert b"evil" not in answer
            peer.close()

    run(main)


# close races


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
