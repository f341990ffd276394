"""Flaws that other servers and clients had, one test for each kind, named after it: what an opening lets through.

Those of parsing are in `conformance/test_websocket_regressions.py`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from support.sockets import PATIENT, UPGRADE, served
from support.websocket_hand import MASK, Hand
from support.websocket_peer import run

from highper_core.errors import LocalProtocolError
from highper_core.frames import Opcode, serialize_frame
from highper_http import App, WebSocket
from highper_transports.memory import MemoryTransport


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
