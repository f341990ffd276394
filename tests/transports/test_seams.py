"""The seams that later protocols are built on, proved over every provider before anything is built on them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.exchanges import Application, Site, content_of, text
from support.providers import dial, run
from support.takeovers import Prefix, connect, upgrade

from highper_core import HttpConnection, Role
from highper_transports.driver import Driver
from highper_transports.errors import StreamBroken
from highper_transports.exchange import Exchange
from highper_transports.memory import MemoryTransport
from highper_transports.sockets import Binding
from highper_transports.stream import Receiver, Stream

__all__ = ["run"]

UPGRADE = b"GET /shout HTTP/1.1\r\nhost: site.example\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\n"
GET = b"GET /%s HTTP/1.1\r\nhost: site.example\r\n\r\n"


class TestUpgrade:
    """A toy protocol takes the stream over after a 101."""

    def test_bytes_behind_the_request_go_to_the_new_protocol(self, run: Any, engine_name: str) -> None:
        async def handler(exchange: Exchange) -> None:
            upgrade(exchange)

        async def main(transport: Any) -> None:
            async with Site(transport, handler, engine_name) as address:
                peer = await dial(transport, address)
                peer.send(UPGRADE + b"hello\nhalf a")
                head = await peer.receive_until(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 101 ")
                assert await peer.receive_until(b"\n") == b"HELLO\n"
                peer.send(b" line\n")
                assert await peer.receive_until(b"\n") == b"HALF A LINE\n"
                peer.half_close()
                assert await peer.receive_all() == b"goodbye\n"
                peer.close()

        run(main)

    def test_end_of_input_behind_the_request_is_handed_over(self, run: Any, engine_name: str) -> None:
        async def handler(exchange: Exchange) -> None:
            await asyncio.sleep(0.02)
            upgrade(exchange)

        async def main(transport: Any) -> None:
            async with Site(transport, handler, engine_name) as address:
                peer = await dial(transport, address)
                peer.send(UPGRADE + b"only\n")
                peer.half_close()
                answer = await peer.receive_all()
                assert answer.partition(b"\r\n\r\n")[2] == b"ONLY\ngoodbye\n"
                peer.close()

        run(main)

    def test_a_declined_upgrade_stays_http(self, run: Any, engine_name: str) -> None:
        async def handler(exchange: Exchange) -> None:
            text(exchange, exchange.request.target)

        async def main(transport: Any) -> None:
            async with Site(transport, handler, engine_name) as address:
                peer = await dial(transport, address)
                peer.send(UPGRADE + GET % b"next")
                assert (await peer.receive_until(b"/shout")).startswith(b"HTTP/1.1 200 ")
                assert (await peer.receive_until(b"/next")).startswith(b"HTTP/1.1 200 ")
                peer.close()

        run(main)


class TestConnect:
    """A tunnel to another server of ours, which then speaks HTTP through it."""

    def test_a_tunnel_carries_both_ways_and_ends(self, run: Any, engine_name: str) -> None:
        large = b"z" * 3_000_000

        async def main(transport: Any) -> None:
            async def origin(exchange: Exchange) -> None:
                text(exchange, exchange.request.method + await content_of(exchange))

            async def proxy(exchange: Exchange) -> None:
                await connect(exchange, transport)

            async with (
                Site(transport, origin, engine_name) as far,
                Site(transport, proxy, engine_name) as near,
            ):
                peer = await dial(transport, near)
                target = b"%s:%d" % (far[0].encode(), far[1])
                peer.send(b"CONNECT %s HTTP/1.1\r\nhost: %s\r\n\r\n" % (target, target) + GET % b"early")
                assert (await peer.receive_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
                assert (await peer.receive_until(b"GET")).startswith(b"HTTP/1.1 200 ")
                peer.send(b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(large) + large)
                peer.half_close()
                answer = await peer.receive_all()
                assert answer.partition(b"\r\n\r\n")[2] == b"PUT" + large
                peer.close()

        run(main)

    def test_a_reset_passes_through(self, run: Any, engine_name: str) -> None:
        async def main(transport: Any) -> None:
            gone = transport.waiter()

            async def origin(exchange: Exchange) -> None:
                try:
                    await asyncio.sleep(60)
                finally:
                    gone.wake()

            async def proxy(exchange: Exchange) -> None:
                await connect(exchange, transport)

            async with (
                Site(transport, origin, engine_name) as far,
                Site(transport, proxy, engine_name) as near,
            ):
                peer = await dial(transport, near)
                target = b"%s:%d" % (far[0].encode(), far[1])
                peer.send(b"CONNECT %s HTTP/1.1\r\nhost: %s\r\n\r\n" % (target, target))
                await peer.receive_until(b"\r\n\r\n")
                peer.send(GET % b"slow")
                await asyncio.sleep(0.05)
                peer.reset()
                await gone

        run(main)


class TestPrefix:
    """Bytes before HTTP, as a proxy in front sends them."""

    @pytest.mark.parametrize("cut", [0, 5, 18, 19, 20, 40])
    def test_what_follows_the_prefix_is_http(self, run: Any, engine_name: str, cut: int) -> None:
        wire = b"PROXY TCP4 192.0.2.7\r\n" + GET % b"a" + GET % b"b"

        async def main(transport: Any) -> None:
            told: list[bytes] = []

            async def handler(exchange: Exchange) -> None:
                text(exchange, exchange.request.target + b" for " + told[0] + b".")

            application = Application(transport, handler)

            def http(stream: Stream, line: bytes) -> Receiver:
                told.append(line.split()[-1])
                return Driver(stream, HttpConnection(Role.SERVER, engine=engine_name), application)

            listener = await transport.listen(Binding(host="127.0.0.1"), lambda stream: Prefix(stream, http))
            peer = await dial(transport, listener.address)
            if cut:
                peer.send(wire[:cut])
                await asyncio.sleep(0.02)
            peer.send(wire[cut:])
            assert (await peer.receive_until(b"/a for 192.0.2.7.")).startswith(b"HTTP/1.1 200 ")
            assert (await peer.receive_until(b"/b for 192.0.2.7.")).startswith(b"HTTP/1.1 200 ")
            peer.close()
            listener.close()
            await asyncio.sleep(0.02)

        run(main)

    def test_an_endless_prefix_is_cut_off(self, run: Any) -> None:
        async def main(transport: Any) -> None:
            listener = await transport.listen(
                Binding(host="127.0.0.1"), lambda stream: Prefix(stream, lambda stream, line: Receiver())
            )
            peer = await dial(transport, listener.address)
            peer.send(b"x" * 200)
            try:
                assert await peer.receive_all() == b""
            except StreamBroken:
                peer.close()
            listener.close()

        run(main)


def test_a_request_behind_a_slow_reader_keeps_its_time(engine_name: str) -> None:
    """A request that came whole, behind an answer its client is slow to take, is not late: we hold it back."""

    async def handler(exchange: Exchange) -> None:
        text(exchange, b"x" * 500_000 if exchange.request.target == b"/large" else b"small")

    async def main(transport: MemoryTransport) -> None:
        async with Site(transport, handler, engine_name) as address:
            peer = await transport.dial(address)
            peer.stream.pause_reading()
            peer.send(GET % b"large" + GET % b"small")
            await transport.advance(20)
            peer.stream.resume_reading()
            answers = await peer.receive_until(b"small")
            assert answers.count(b"HTTP/1.1 200 ") == 2
            peer.close()

    MemoryTransport.run(main)


def test_the_end_of_unread_content_is_not_forgotten(engine_name: str) -> None:
    """Content that filled the window to its last byte and was never asked for: the next request is served, later."""

    async def handler(exchange: Exchange) -> None:
        await asyncio.sleep(1)
        text(exchange, exchange.request.target)

    async def main(transport: MemoryTransport) -> None:
        async with Site(transport, handler, engine_name) as address:
            peer = await transport.dial(address)
            peer.send(b"PUT /unread HTTP/1.1\r\nhost: x\r\ncontent-length: 70000\r\n\r\n" + b"x" * 70_000)
            await peer.receive_until(b"/unread")
            await transport.advance(20)
            peer.send(GET % b"next")
            assert (await peer.receive_until(b"/next")).startswith(b"HTTP/1.1 200 ")
            peer.close()

    MemoryTransport.run(main)
