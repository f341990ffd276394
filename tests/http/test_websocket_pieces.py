"""Messages sent in pieces to a peer that has no room for them: none is dropped, and none holds others up for good."""

from __future__ import annotations

import asyncio

import pytest
from support.sockets import Served
from support.websocket_memory import Play, deaf, frame, play

from highper_http import App, WebSocket, WebSocketClosed

__all__ = ["play"]


class TestPieces:
    """What becomes of a message in pieces that has to wait, or is left."""

    @pytest.mark.parametrize("policy", ["drop-oldest", "conflate"])
    def test_a_stream_that_waits_its_turn_is_not_dropped(self, play: Play, policy: str) -> None:
        app = App()

        @app.websocket("/ws", policy=policy)
        async def ws(socket: WebSocket) -> None:
            async def second() -> None:
                async with socket.stream(text=True) as send:
                    await send("second")

            await socket.accept()
            while not socket.pressed:
                await socket.send_bytes(bytes(10_000))
            async with asyncio.timeout(60), asyncio.TaskGroup() as group, socket.stream(text=True):
                group.create_task(second())
                await asyncio.sleep(0)
                for _ in range(20):
                    await socket.send_bytes(bytes(10_000))

        async def main(site: Served) -> None:
            peer = await deaf(site)
            await asyncio.sleep(1)
            peer.stream.resume_reading()
            data = b""
            while not data.endswith(b"\x88\x02\x03\xe8"):
                data += await peer.receive()
            assert b"\x01\x06second" in data
            peer.send(frame(b"", 8))
            await site.settle()

        play(app, main)

    def test_a_stream_that_is_cancelled_when_its_turn_has_come_holds_nobody_up(self, play: Play) -> None:
        app = App()

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            first, second = socket.stream(text=True), socket.stream(text=True)
            await first.__aenter__()
            turn = asyncio.ensure_future(second.__aenter__())
            await asyncio.sleep(0)
            behind = asyncio.ensure_future(socket.send_text("behind"))
            await asyncio.sleep(0)
            await first.__aexit__(None, None, None)  # which wakes the second
            turn.cancel()
            with pytest.raises(asyncio.CancelledError):
                await turn
            async with asyncio.timeout(5):
                await behind
                await socket.send_text("after")
                async with socket.stream(text=True) as send:
                    await send("streamed")

        async def main(site: Served) -> None:
            async with site.socket("/ws") as socket:
                assert [message async for message in socket] == ["", "behind", "after", "streamed"]

        play(app, main)

    def test_a_message_in_pieces_whose_end_is_cancelled_ends_the_socket(self, play: Play) -> None:
        app = App()

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            send = socket.stream()
            await send.__aenter__()
            while not socket.pressed:
                await send(bytes(10_000))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(send.__aexit__(None, None, None), 0.1)
            assert socket.closed
            assert socket.close_code == 1011

        async def main(site: Served) -> None:
            peer = await deaf(site)
            await asyncio.sleep(1)
            peer.stream.resume_reading()
            data = b""
            while not data.endswith(b"\x88\x02\x03\xf3"):
                data += await peer.receive()
            peer.send(frame(b"", 8))
            await site.settle()

        play(app, main)

    def test_who_streams_to_a_slow_peer_that_is_given_up_is_told(self, play: Play) -> None:
        app = App()
        told: list[int] = []

        @app.websocket("/ws", policy="close")
        async def ws(socket: WebSocket) -> None:
            async def flood() -> None:
                async with socket.stream() as send:
                    while True:
                        await send(bytes(10_000))

            async def speak() -> None:
                with pytest.raises(WebSocketClosed) as caught:
                    await flood()
                told.append(caught.value.code)

            await socket.accept()
            async with asyncio.TaskGroup() as group:
                group.create_task(speak())
                while not socket.pressed:
                    await asyncio.sleep(0.01)
                while socket.try_send("x" * 1000):
                    pass

        async def main(site: Served) -> None:
            peer = await deaf(site)
            await asyncio.sleep(5)
            assert told == [1013]
            peer.close()
            await site.settle()

        play(app, main)
