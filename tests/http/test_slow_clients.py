"""Every kind of slow client, each ended within its own limit and a second, with the limits nobody configured.

Virtual time: the 75 seconds that an idle connection is kept cost nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from highper_core.limits import Limits
from highper_http import App, Server
from highper_transports.memory import MemoryTransport

LIMITS = Limits()
GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
UPLOAD = b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n"
CHUNKED = b"POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
LARGE = b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n"


def application() -> App:
    app = App()

    @app.get("/")
    async def plain(req: Any) -> str:
        return "plain"

    @app.post("/upload")
    async def upload(req: Any) -> str:
        return str(len(await req.body()))

    @app.get("/large")
    async def large(req: Any, res: Any) -> None:
        async with res.stream() as send:
            for _ in range(10_000):
                await send(b"x" * 65536)

    return app


async def drip(peer: Any, piece: bytes, seconds: float) -> None:
    while not peer.is_gone:
        peer.send(piece)
        await asyncio.sleep(seconds)


async def end_of(transport: Any, address: Any, at_once: bytes, piece: bytes, every: float, reads: bool) -> Any:
    """Play a slow client; return the seconds it was borne and what it was told."""
    peer = await transport.dial(address)
    if not reads:
        peer.stream.pause_reading()
    if at_once:
        peer.send(at_once)
    started = transport.now()
    dripping = asyncio.ensure_future(drip(peer, piece, every)) if piece else None
    answer = b""
    while not (peer.is_gone or peer.has_ended) and transport.now() - started < 600:
        await asyncio.sleep(0.25)
        answer += peer.receive_nowait() if reads else b""
    borne = transport.now() - started
    if dripping is not None:
        dripping.cancel()
    peer.close()
    return borne, answer


KINDS: dict[str, tuple[bytes, bytes, float, bool, float, bytes]] = {
    # at once, then this, every so many seconds, reads; the limit; what its last answer begins with
    "no first byte": (b"", b"", 0, True, LIMITS.first_byte_timeout, b""),
    "head drip": (b"GET / HTTP/1.1\r\nx: ", b"y", 0.5, True, LIMITS.head_timeout, b"HTTP/1.1 408 "),
    "empty line": (b"\r\n", b"", 0, True, LIMITS.head_timeout, b"HTTP/1.1 408 "),
    "head stall": (b"GET / HT", b"", 0, True, LIMITS.head_timeout, b"HTTP/1.1 408 "),
    "body drip": (UPLOAD, b"z", 0.5, True, LIMITS.content_rate_grace, b"HTTP/1.1 408 "),
    "chunk drip": (CHUNKED, b"1\r\nz\r\n", 0.5, True, LIMITS.content_rate_grace, b"HTTP/1.1 408 "),
    "body stall": (UPLOAD + b"z" * 60_000, b"", 0, True, LIMITS.content_timeout, b"HTTP/1.1 408 "),
    "never reading": (LARGE, b"", 0, False, LIMITS.write_timeout, b""),
    "idle": (GET, b"", 0, True, LIMITS.idle_timeout, b"HTTP/1.1 200 "),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_slow_client_is_ended_in_time(kind: str, engine_name: str) -> None:
    """Within its limit and a second; 408 where a request had begun; nothing left behind."""
    at_once, piece, every, reads, limit, expected = KINDS[kind]

    async def main(transport: Any) -> None:
        bindings = ["server:1"]
        async with Server(
            application(), bind=bindings, transport="memory", engine=engine_name, access_log=False
        ) as server:
            inner = server._transport
            borne, answer = await end_of(inner, server.addresses[0], at_once, piece, every, reads)
            assert answer.startswith(expected)
            assert answer or not expected
            assert limit - 1 <= borne <= limit + 1
            await asyncio.sleep(1)  # the end of a stream travels, too
            assert server._service is not None
            assert not server._service.open
            peer = await inner.dial(server.addresses[0])  # the next client is served
            peer.send(GET)
            assert (await peer.receive()).endswith(b"plain")
            peer.close()

    MemoryTransport.run(main)


def test_a_client_that_leaves_the_last_bytes_is_ended() -> None:
    """It took enough to end the write pressure, and then no more of a last answer."""
    app = App()

    @app.get("/")
    async def last(req: Any, res: Any) -> None:
        res.header("connection", "close").bytes(b"x" * (3 * 65536 + 10_000))

    async def main(transport: Any) -> None:
        async with Server(app, bind=["server:1"], transport="memory", access_log=False) as server:
            inner: Any = server._transport
            peer = await inner.dial(server.addresses[0])
            peer.send(GET)
            assert server._service is not None
            while not server._service.awake:
                await asyncio.sleep(0)
            (stream,) = server._service.awake
            while not stream.unwritten:
                await asyncio.sleep(0)
            while stream.unwritten > LIMITS.write_low_water:
                await asyncio.sleep(0)
            peer.stream.pause_reading()
            await asyncio.sleep(LIMITS.write_timeout - 1)
            assert stream.unwritten
            await asyncio.sleep(2)
            assert not server._service.open

    MemoryTransport.run(main)


def test_a_slow_handler_is_no_slow_client() -> None:
    """While the handler, and not the peer, holds things up, no clock of the peer runs."""
    app = App()

    @app.post("/")
    async def slow(req: Any) -> str:
        await asyncio.sleep(300)
        length = len(await req.body())
        await asyncio.sleep(300)
        return str(length)

    async def main(transport: Any) -> None:
        async with Server(app, bind=["server:1"], transport="memory", access_log=False) as server:
            inner: Any = server._transport
            peer = await inner.dial(server.addresses[0])
            peer.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 200000\r\n\r\n" + b"z" * 200_000)
            assert (await peer.receive_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            assert await peer.receive() == b"200000"
            peer.close()

    MemoryTransport.run(main)


def test_others_are_served_beside_a_crowd() -> None:
    """Two hundred slow clients of every kind hold nobody else up."""

    async def main(transport: Any) -> None:
        async with Server(application(), bind=["server:1"], transport="memory", access_log=False) as server:
            inner: Any = server._transport
            crowd = []
            for index in range(200):
                at_once, piece, every, reads, _, _ = list(KINDS.values())[index % len(KINDS)]
                crowd.append(asyncio.ensure_future(end_of(inner, server.addresses[0], at_once, piece, every, reads)))
            for _ in range(20):
                await asyncio.sleep(1)
                before = inner.now()
                peer = await inner.dial(server.addresses[0])
                peer.send(GET)
                assert (await peer.receive()).endswith(b"plain")
                assert inner.now() - before < 0.1
                peer.close()
            await asyncio.gather(*crowd)
            assert server._service is not None
            assert not server._service.open

    MemoryTransport.run(main)


def test_unread_content_is_drained_while_its_answer_waits(engine_name: str) -> None:
    """A peer that pauses inside a long answer is not taken for one that holds its content back."""
    app = application()

    @app.post("/unread")
    async def unread(req: Any) -> bytes:
        return b"x" * 300_000

    async def main(transport: Any) -> None:
        async with Server(app, bind=["server:1"], transport="memory", engine=engine_name, access_log=False) as server:
            inner: Any = server._transport
            peer = await inner.dial(server.addresses[0])
            peer.stream.pause_reading()
            peer.send(b"POST /unread HTTP/1.1\r\nhost: a\r\ncontent-length: 90000\r\n\r\n" + b"z" * 90_000)
            await asyncio.sleep(LIMITS.drain_timeout * 3)
            peer.stream.resume_reading()
            assert (await peer.receive_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            assert await peer.receive_exactly(300_000) == b"x" * 300_000
            peer.send(GET)
            assert (await peer.receive()).endswith(b"plain")
            peer.close()

    MemoryTransport.run(main)
