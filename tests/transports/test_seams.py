"""The seams that later protocols are built on, proved over every provider before anything is built on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support.client import Client
from support.exchanges import Application, Site, content_of, text
from support.providers import EVERY
from support.takeovers import Prefix, connect, upgrade
from transports.line_connection import LineConnection

from highper_core import Data, EndOfMessage, HttpConnection, InformationalResponse, Limits, Request, Response, Role
from highper_transports.driver import Driver
from highper_transports.errors import StreamBroken, StreamClosed
from highper_transports.exchange import Exchange
from highper_transports.memory import MemoryTransport, Peer
from highper_transports.sockets import Binding
from highper_transports.stream import Receiver, Stream

UPGRADE = b"GET /shout HTTP/1.1\r\nhost: site.example\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\n"
GET = b"GET /%s HTTP/1.1\r\nhost: site.example\r\n\r\n"

Main = Callable[[Any], Coroutine[Any, Any, None]]


@pytest.fixture(params=EVERY, ids=lambda provider: provider.name)
def run(request: pytest.FixtureRequest) -> Callable[[Main], None]:
    def start(main: Main) -> None:
        async def bounded(transport: Any) -> None:
            async with asyncio.timeout(20):
                await main(transport)

        request.param.run(bounded)

    return start


async def dial(transport: Any, address: Any) -> Peer:
    """Open a stream to play the other side of by hand, on any provider."""
    made: list[Peer] = []
    await transport.connect(address, lambda stream: made.append(Peer(stream)))
    return made[0]


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


class TestClient:
    """A CLIENT over `driver.open`."""

    def test_it_speaks_to_our_server(self, run: Any, engine_name: str) -> None:
        async def handler(exchange: Exchange) -> None:
            match exchange.request.target:
                case b"/echo":
                    text(exchange, await content_of(exchange))
                case b"/stream":
                    exchange.send(Response(status_code=200))
                    for _ in range(20):
                        exchange.send(Data(b"piece " * 10_000))
                        await exchange.drain()
                    exchange.send(EndOfMessage())
                case b"/hints":
                    exchange.send(InformationalResponse(status_code=103, headers=[(b"link", b"</a>")]))
                    text(exchange, b"hinted")
                case b"/last":
                    head = Response(status_code=200, headers=[(b"connection", b"close")])
                    exchange.send_message(head, b"bye")

        async def main(transport: Any) -> None:
            async with (
                Site(transport, handler, engine_name) as address,
                Client(transport, address, engine_name) as client,
            ):
                assert (await client.request(b"GET", b"/hints")).interim == [103]
                large = b"0123456789" * 100_000
                assert (await client.request(b"PUT", b"/echo", content=large)).content == large
                assert (await client.request(b"GET", b"/stream")).content == b"piece " * 200_000
                assert (await client.request(b"HEAD", b"/echo")).content == b""
                assert (await client.request(b"GET", b"/last")).content == b"bye"
                await asyncio.sleep(0.05)
                with pytest.raises(StreamClosed):
                    client.open(b"GET", b"/more")

        run(main)

    def test_content_in_pieces_after_a_continue(self, run: Any, engine_name: str) -> None:
        async def handler(exchange: Exchange) -> None:
            text(exchange, await content_of(exchange))

        async def main(transport: Any) -> None:
            async with (
                Site(transport, handler, engine_name) as address,
                Client(transport, address, engine_name) as client,
            ):
                fields = {b"expect": b"100-continue", b"transfer-encoding": b"chunked"}
                exchange = client.open(b"PUT", b"/", fields, None)
                event = await exchange.receive()
                assert isinstance(event, InformationalResponse)
                assert event.status_code == 100
                for piece in (b"one ", b"two"):
                    exchange.send(Data(piece))
                    await asyncio.sleep(0.01)
                exchange.send(EndOfMessage())
                answer = await client.answer(exchange)
                exchange.close()
                assert (answer.status_code, answer.content) == (200, b"one two")

        run(main)

    def test_a_server_that_vanishes_is_told(self, run: Any, engine_name: str) -> None:
        async def handler(exchange: Exchange) -> None:
            exchange.send(Response(status_code=200, headers=[(b"content-length", b"10")]))
            exchange.send(Data(b"half"))
            await asyncio.sleep(0.02)
            exchange.abort()

        async def main(transport: Any) -> None:
            async with (
                Site(transport, handler, engine_name) as address,
                Client(transport, address, engine_name) as client,
            ):
                with pytest.raises(StreamBroken):
                    await client.request(b"GET", b"/")

        run(main)


class TestInterleaving:
    """A connection that interleaves exchanges, as HTTP/2 does, needs nothing new above it."""

    def test_two_exchanges_at_once(self, run: Any) -> None:
        async def main(transport: Any) -> None:
            order: list[str] = []
            answers = {1: transport.waiter(), 3: transport.waiter()}

            async def handler(exchange: Exchange) -> None:
                order.append(f"{exchange.stream_id} begins")
                content = await content_of(exchange)
                order.append(f"{exchange.stream_id} has {len(content)}")
                await answers[exchange.stream_id]
                exchange.send(Response(status_code=200, stream_id=exchange.stream_id))
                exchange.send(Data(b"x" * exchange.stream_id, exchange.stream_id))
                await asyncio.sleep(0.01)
                exchange.send(EndOfMessage(stream_id=exchange.stream_id))

            application = Application(transport, handler)
            drivers: list[Driver] = []

            def opened(stream: Stream) -> None:
                drivers.append(Driver(stream, LineConnection(interleaved=True, limits=Limits()), application))

            listener = await transport.listen(Binding(host="127.0.0.1"), opened)
            peer = await dial(transport, listener.address)
            peer.send(b"request 1 PUT chunked\ndata 1 5\nrequest 3 PUT chunked\ndata 3 2\ndata 1 1\nend 3\nend 1\n")
            while len(order) < 4:
                await asyncio.sleep(0.005)
            assert order == ["1 begins", "3 begins", "3 has 2", "1 has 6"]
            assert sorted([exchange.stream_id for exchange in drivers[0].exchanges]) == [1, 3]
            answers[3].wake()
            assert await peer.receive_until(b"3 end\n") == b"3 200\n3 data 3\n3 end\n"
            answers[1].wake()
            assert await peer.receive_until(b"1 end\n") == b"1 200\n1 data 1\n1 end\n"
            assert not drivers[0].exchanges
            peer.send(b"request 5 GET\nend 5\n")
            answers[5] = transport.waiter()
            answers[5].wake()
            assert await peer.receive_until(b"5 end\n") == b"5 200\n5 data 5\n5 end\n"
            peer.close()
            listener.close()
            await asyncio.sleep(0.02)
            assert application.errors == []

        run(main)

    def test_a_client_interleaves_too(self, run: Any) -> None:
        async def main(transport: Any) -> None:
            peers: list[Peer] = []
            listener = await transport.listen(Binding(host="127.0.0.1"), lambda stream: peers.append(Peer(stream)))
            drivers: list[Driver] = []

            def opened(stream: Stream) -> None:
                drivers.append(Driver(stream, LineConnection(Role.CLIENT, interleaved=True)))

            await transport.connect(listener.address, opened)
            exchanges = [
                drivers[0].open(Request(method=b"GET", target=b"/", stream_id=number), b"") for number in (1, 3)
            ]
            while not peers:
                await asyncio.sleep(0.005)
            await peers[0].receive_until(b"3 end\n")
            peers[0].send(b"3 200\n1 200\ndata 1 4\ndata 3 2\nend 1\nend 3\n")
            for exchange, length in zip(exchanges, (4, 2), strict=True):
                assert isinstance(await exchange.receive(), Response)
                assert len(await content_of(exchange)) == length
                exchange.close()
            drivers[0].shutdown()
            peers[0].close()
            listener.close()
            await asyncio.sleep(0.02)

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
