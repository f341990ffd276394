"""The driver as a client, and connections that interleave exchanges, over every provider."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.client import Client
from support.exchanges import Application, Site, content_of, text
from support.providers import dial, run
from transports.line_connection import LineConnection

from highper_core import Data, EndOfMessage, InformationalResponse, Limits, Request, Response, Role
from highper_transports.driver import Driver
from highper_transports.errors import StreamBroken, StreamClosed
from highper_transports.exchange import Exchange
from highper_transports.memory import Peer
from highper_transports.sockets import Binding
from highper_transports.stream import Stream

__all__ = ["run"]


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
