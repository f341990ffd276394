"""A client's WebSocket ends, and is opened again and again where that may help."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from support.websocket_peer import Play, ServerByHand, answering, echo, played, run

from highper_core.events import CloseConnection, Ping, Pong
from highper_core.limits import Limits
from highper_http.errors import WebSocketClosed
from highper_http.websocket.backoff import Backoff
from highper_http.websocket.connecting import connect
from highper_http.websocket.denied import WebSocketDenied
from highper_transports.memory import MemoryTransport


class TestEnd:
    """How an open one ends."""

    def test_leaving_the_block_closes_also_by_an_error(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            ends = []

            async def play(server: ServerByHand) -> None:
                await server.accept()
                ends.append(await server.receive())
                server.peer.close()

            async with played(transport, play) as (url, _):
                with pytest.raises(KeyError):
                    async with connect(url, transport=transport):
                        raise KeyError
            assert isinstance(ends[0], CloseConnection)

        run(main)

    def test_a_server_that_does_not_answer_our_close_is_left(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async def play(server: ServerByHand) -> None:
                await server.accept()
                await asyncio.sleep(100)

            async with played(transport, play) as (url, servers):
                async with connect(url, limits=Limits(websocket_close_timeout=7), transport=transport):
                    began = transport.now()
                assert transport.now() - began == pytest.approx(7, abs=0.5)
                await asyncio.sleep(1)
                assert servers[0].peer.has_ended

        run(main)

    def test_a_vanished_server_is_told(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async def play(server: ServerByHand) -> None:
                await server.accept(behind=b"\x81\x01a")
                await asyncio.sleep(1)
                server.peer.reset()

            async with played(transport, play) as (url, _), connect(url, transport=transport) as socket:
                assert await socket.receive() == "a"
                with pytest.raises(WebSocketClosed) as caught:
                    await socket.receive()
                assert caught.value.code == 1006

        run(main)

    def test_a_server_that_masks_is_closed_with_a_protocol_error(self) -> None:
        """RFC 6455 section 5.1: a client closes a connection if it detects a masked frame."""

        async def main(transport: MemoryTransport) -> None:
            ends: list[Any] = []

            async def play(server: ServerByHand) -> None:
                await server.accept(behind=b"\x81\x81\0\0\0\0a")
                ends.append(await server.receive())
                server.peer.close()

            async with played(transport, play) as (url, _), connect(url, transport=transport) as socket:
                with pytest.raises(WebSocketClosed) as caught:
                    await socket.receive()
                assert caught.value.code == 1002
            assert ends[0].code == 1002

        run(main)

    def test_a_silent_server_is_asked_and_left(self) -> None:
        """After 20 s of silence a Ping, after 20 s more the end."""

        async def main(transport: MemoryTransport) -> None:
            heard: list[tuple[int, int]] = []

            async def play(server: ServerByHand) -> None:
                await server.accept()
                began = transport.now()
                while data := await server.peer.receive():
                    heard.append((round(transport.now() - began), data[0]))

            async with played(transport, play) as (url, _), connect(url, transport=transport) as socket:
                with pytest.raises(WebSocketClosed) as caught:
                    await socket.receive()
                assert caught.value.code == 1011
            assert heard[:2] == [(20, 0x89), (40, 0x88)]

        run(main)

    def test_pings_are_answered(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async def play(server: ServerByHand) -> None:
                await server.accept()
                server.send(Ping(b"there?"))
                assert await server.receive() == Pong(b"there?")
                await server.end()

            async with played(transport, play) as (url, _), connect(url, transport=transport) as socket:
                assert [message async for message in socket] == []

        run(main)


class TestAgain:
    """The iterator: one after the other, with waits between."""

    def certain(self) -> Backoff:
        return Backoff(first=2.0, factor=2.0, longest=16.0, random=lambda: 1.0)

    def test_a_server_that_went_away_is_reached_again(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async def play(server: ServerByHand) -> None:
                await server.accept(behind=b"\x81\x02hi")
                await asyncio.sleep(30)
                server.peer.reset()

            async with played(transport, play) as (url, servers):
                times, received = [], []
                async for socket in connect(url, transport=transport, backoff=self.certain()):
                    times.append(transport.now())
                    received.append(await socket.receive())
                    with pytest.raises(WebSocketClosed):
                        await socket.receive()
                    if len(times) == 3:
                        break
                assert received == ["hi"] * 3
                assert [round(after - before) for before, after in itertools.pairwise(times)] == [32, 32]
                assert len(servers) == 3

        run(main)

    def test_failures_in_a_row_wait_longer_each_time(self) -> None:
        """Whether nobody is there, or the answer is 503; what worked for a while begins anew."""
        busy = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"

        async def main(transport: MemoryTransport) -> None:
            times: list[float] = []

            def timed(play: Play) -> Play:
                async def perform(server: ServerByHand) -> None:
                    times.append(transport.now())
                    await play(server)

                return perform

            plays = [answering(busy), answering(b"", close=True), answering(busy), answering(busy), answering(busy)]
            async with played(transport, *map(timed, plays), timed(echo)) as (url, _):
                async for socket in connect(url, transport=transport, backoff=self.certain()):
                    await socket.send_text("a")
                    assert await socket.receive() == "a"
                    break
            assert [round(after - before) for before, after in itertools.pairwise(times)] == [2, 4, 8, 16, 16]

        run(main)

    def test_a_server_that_ends_each_one_at_once_is_not_hammered(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async def play(server: ServerByHand) -> None:
                await server.accept()
                await server.end(1011)

            async with played(transport, play) as (url, _):
                times: list[float] = []
                async for socket in connect(url, transport=transport, backoff=self.certain()):
                    times.append(transport.now())
                    with pytest.raises(WebSocketClosed):
                        await socket.receive()
                    if len(times) == 5:
                        break
                waits = [round(after - before) for before, after in itertools.pairwise(times)]
                assert waits == [2, 4, 8, 16]

        run(main)

    @pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 426])
    def test_an_answer_that_will_be_the_same_again_ends_it(self, status: int) -> None:
        answer = b"HTTP/1.1 %d No\r\ncontent-length: 0\r\n\r\n" % status

        async def main(transport: MemoryTransport) -> None:
            async with played(transport, answering(answer)) as (url, servers):
                with pytest.raises(WebSocketDenied) as caught:
                    async for _ in connect(url, transport=transport):
                        pass
                assert caught.value.status == status
                assert len(servers) == 1

        run(main)

    def test_going_on_without_a_socket_closes_it(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async with played(transport, echo) as (url, servers):
                sockets = []
                async for socket in connect(url, transport=transport):
                    sockets.append(socket)
                    if len(sockets) < 3:
                        continue
                    break
                await asyncio.sleep(30)
                assert [socket.close_code for socket in sockets] == [1000] * 3
                assert all(server.peer.is_gone for server in servers)

        run(main)

    def test_an_error_in_the_body_ends_it_and_closes(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async with played(transport, echo) as (url, servers):

                async def fail() -> None:
                    async for _ in connect(url, transport=transport):
                        raise KeyError

                with pytest.raises(KeyError):
                    await fail()
                await asyncio.sleep(30)
                assert servers[0].peer.is_gone

        run(main)
