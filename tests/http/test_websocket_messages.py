"""Messages of every size, kind and number arrive as they were sent, over every provider and either engine."""

from __future__ import annotations

import asyncio

from support.sockets import Served, echoing
from support.websocket_play import Play, play

from highper_http import App, WebSocket

__all__ = ["play"]


class TestMessages:
    """What goes out comes in."""

    def test_messages_of_every_size_come_back_as_they_went(self, play: Play) -> None:
        async def main(site: Served) -> None:
            async with site.socket("/echo") as socket:
                for size in (0, 1, 125, 126, 65535, 65536, 300_000, 1_000_000):
                    await socket.send_text("é" * (size // 2) + "x" * (size % 2))
                    assert await socket.receive_text() == "é" * (size // 2) + "x" * (size % 2)
                    await socket.send_bytes(bytes(size))
                    assert await socket.receive_bytes() == bytes(size)

        play(echoing(), main)

    def test_json_and_msgpack_are_values_on_both_sides(self, play: Play) -> None:
        app = App()
        value = {"name": "é", "list": [1, 2.5, None]}

        @app.websocket("/values")
        async def values(socket: WebSocket) -> None:
            await socket.accept()
            await socket.send_json(await socket.receive_json())
            await socket.send_msgpack(await socket.receive_msgpack())

        async def main(site: Served) -> None:
            async with site.socket("/values") as socket:
                await socket.send_json(value)
                assert await socket.receive_json() == value
                await socket.send_msgpack(value)
                assert await socket.receive_msgpack() == value

        play(app, main)

    def test_many_messages_arrive_in_order_whatever_waits(self, play: Play) -> None:
        """More than both queues hold, from several tasks at once."""
        app = App()

        @app.websocket("/count")
        async def count(socket: WebSocket) -> None:
            await socket.accept()

            async def speak(name: int) -> None:
                for number in range(500):
                    await socket.send_text(f"{name} {number} " + "x" * 1000)

            await asyncio.gather(*[speak(name) for name in range(3)])

        async def main(site: Served) -> None:
            seen: dict[str, list[int]] = {}
            async with site.socket("/count") as socket:
                async for message in socket:
                    name, number, _ = message.split()
                    seen.setdefault(name, []).append(int(number))
            assert seen == {str(name): list(range(500)) for name in range(3)}

        play(app, main)

    def test_pieces_are_sent_and_received_as_they_come(self, play: Play) -> None:
        app = App()

        @app.websocket("/pieces")
        async def pieces(socket: WebSocket) -> None:
            await socket.accept()
            async with socket.stream(text=True) as send:
                async for piece in socket.receive_stream():
                    await send(piece.decode())
            async with socket.stream() as send:
                for _ in range(100):
                    await send(b"x" * 10_000)

        async def main(site: Served) -> None:
            async with site.socket("/pieces") as socket:
                async with socket.stream() as send:
                    await send(b"first ")
                    assert await anext(aiter(socket.receive_stream())) == "first "
                    await send(b"second")
                rest = [piece async for piece in socket.receive_stream()]
                assert "".join(rest) == "second"
                assert await socket.receive_bytes() == b"x" * 1_000_000

        play(app, main)

    def test_what_is_left_of_a_message_is_dropped_when_the_next_is_asked_for(self, play: Play) -> None:
        app = App()

        @app.websocket("/left")
        async def left(socket: WebSocket) -> None:
            await socket.accept()
            async for piece in socket.receive_stream():
                await socket.send_text(f"began with {len(piece)}")
                break
            await socket.send_text(await socket.receive_text())

        async def main(site: Served) -> None:
            async with site.socket("/left") as socket:
                async with socket.stream() as send:
                    await send(b"abc")
                    assert await socket.receive_text() == "began with 3"
                    await send(b"more of it")
                await socket.send_text("next")
                assert await socket.receive_text() == "next"

        play(app, main)

    def test_other_messages_wait_until_a_streamed_one_has_ended(self, play: Play) -> None:
        app = App()

        @app.websocket("/between")
        async def between(socket: WebSocket) -> None:
            await socket.accept()
            async with asyncio.TaskGroup() as group, socket.stream(text=True) as send:
                await send("a")
                group.create_task(socket.send_text("between"))
                assert socket.try_send("behind")
                await asyncio.sleep(0.01)
                await send("b")

        async def main(site: Served) -> None:
            async with site.socket("/between") as socket:
                assert [message async for message in socket] == ["ab", "between", "behind"]

        play(app, main)

    def test_a_ping_is_answered_and_timed(self, play: Play) -> None:
        app = App()
        seen: list[float] = []

        @app.websocket("/ping")
        async def ping(socket: WebSocket) -> None:
            await socket.accept()
            await socket.receive()
            seen.append(await socket.ping())
            await socket.send_text("pinged")

        async def main(site: Served) -> None:
            async with site.socket("/ping") as socket:
                assert await socket.ping() >= 0
                await socket.send_text("go on")
                assert await socket.receive() == "pinged"
            assert 0 <= seen[0] < 20

        play(app, main)
