"""What peers send and nobody receives is bounded, by number and by size, and holds no close up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.sockets import Served
from support.websocket_memory import Play, play

from highper_http import App, WebSocket, WebSocketClosed

__all__ = ["play"]


async def speak_for_ever(socket: WebSocket) -> None:
    while True:
        await socket.send_bytes(bytes(10_000))


class TestReceiving:
    """What waits for a handler that does not ask is bounded."""

    @pytest.mark.parametrize(("size", "most"), [(10, 16), (300_000, 5)])
    def test_reading_stops_when_enough_waits(self, play: Play, size: int, most: int) -> None:
        app = App()
        held: list[int] = []
        taken: list[bytes] = []
        go = asyncio.Event()

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            await go.wait()
            held.append(socket.unread)
            taken.extend([message async for message in socket])

        async def main(site: Served) -> None:
            async with site.socket("/ws") as socket, asyncio.TaskGroup() as group:

                async def send() -> None:
                    for _ in range(50):
                        await socket.send_bytes(bytes(size))
                    await socket.close()

                group.create_task(send())
                await asyncio.sleep(5)
                stream = next(iter(site.server._service.awake))
                assert not stream.reads
                go.set()
            await site.settle()
            assert held[0] <= most
            assert len(taken) == 50

        play(app, main)

    def test_a_flood_of_tiny_pieces_is_bounded_by_what_they_take(self, play: Play) -> None:
        app = App()
        go = asyncio.Event()
        taken: list[Any] = []
        held: list[int] = []

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            pieces = socket.receive_stream()
            taken.append(await anext(pieces))
            await go.wait()
            held.append(socket.unread)
            taken.extend([piece async for piece in pieces])

        async def main(site: Served) -> None:
            async with site.socket("/ws") as socket, asyncio.TaskGroup() as group:

                async def send() -> None:
                    async with socket.stream() as piece:
                        for _ in range(20_000):
                            await piece(b"x")
                            if _ % 50 == 0:
                                await asyncio.sleep(0)

                group.create_task(send())
                await asyncio.sleep(5)
                assert len(taken) == 1
                go.set()
            await site.settle()
            assert b"".join(taken) == b"x" * 20_000
            assert 16 < held[0] <= 1024 * 1024 // 128 + 1

        play(app, main)

    def test_closing_does_not_wait_for_what_nobody_takes(self, play: Play) -> None:
        app = App()

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            await asyncio.sleep(1)
            await socket.close(4000)

        async def main(site: Served) -> None:
            async with site.socket("/ws") as socket:
                with pytest.raises(WebSocketClosed) as caught:
                    await speak_for_ever(socket)
                assert caught.value.code == 4000
            await site.settle()

        play(app, main)
