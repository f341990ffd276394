"""What becomes of messages that a WebSocket's peer has no room for, by each policy, and how long they wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.sockets import Served
from support.websocket_memory import Play, deaf, frame, play

from highper_core import LocalProtocolError
from highper_core.permessage_deflate import DeflateSettings
from highper_core.websocket import frame_message
from highper_http import App, Limits, WebSocket, WebSocketClosed

__all__ = ["play"]

QUEUE = 64 * 1024


class TestSending:
    """What becomes of messages that the peer has no room for."""

    def test_block_lets_the_sender_wait(self, play: Play) -> None:
        app = App()
        sent: list[int] = []

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            for number in range(1000):
                await socket.send_bytes(bytes(1000))
                sent.append(number)
                assert socket.unsent <= QUEUE + 2 * 1000 + 64 * 1024

        async def main(site: Served) -> None:
            peer = await deaf(site)
            await asyncio.sleep(1)
            waited = len(sent)
            assert 0 < waited < 1000
            await asyncio.sleep(1)
            assert len(sent) == waited
            peer.stream.resume_reading()
            while b"\x88" not in await peer.receive():
                pass
            assert len(sent) == 1000
            peer.close()
            await site.settle()

        play(app, main)

    def test_a_sender_that_is_cancelled_while_it_waits_sends_nothing(self, play: Play) -> None:
        app = App()

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            while not socket.pressed:
                await socket.send_bytes(bytes(10_000))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(socket.send_text("cancelled"), 0.1)
            await socket.send_text("sent")

        async def main(site: Served) -> None:
            peer = await deaf(site)
            await asyncio.sleep(1)
            peer.stream.resume_reading()
            data = b""
            while not data.endswith(b"\x88\x02\x03\xe8"):
                data += await peer.receive()
            assert b"cancelled" not in data
            assert b"\x81\x04sent" in data
            peer.close()

        play(app, main)

    def test_drop_oldest_keeps_the_newest(self, play: Play) -> None:
        app = App()

        @app.websocket("/ws", policy="drop-oldest")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            for number in range(2000):
                await socket.send_text(f"{number:04} " + "x" * 995)
            assert socket.unsent <= 2 * QUEUE
            await socket.receive()

        async def main(site: Served) -> None:
            peer = await deaf(site)
            await asyncio.sleep(1)
            peer.stream.resume_reading()
            await asyncio.sleep(1)
            data = peer.receive_nowait()
            seen = [int(piece[:4]) for piece in data.split(b"\x81\x7e\x03\xe8")[1:]]
            assert seen[0] == 0
            assert seen[-64:] == list(range(1936, 2000))[-len(seen[-64:]) :]
            assert len(seen) < 1000
            peer.send(frame(b"", 8))
            await site.settle()

        play(app, main)

    def test_conflate_replaces_the_message_of_the_same_key(self, play: Play) -> None:
        app = App()

        @app.websocket("/ws", policy="conflate")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            while not socket.pressed:
                await socket.send_bytes(bytes(10_000))
            for number in range(1000):
                await socket.send_text(f"price {number}", key="price")
                await socket.send_text(f"size {number}", key="size")
            await socket.send_text("other")
            await socket.receive()

        async def main(site: Served) -> None:
            peer = await deaf(site)
            await asyncio.sleep(1)
            peer.stream.resume_reading()
            await asyncio.sleep(1)
            data = peer.receive_nowait()
            assert data.endswith(b"\x81\x09price 999\x81\x08size 999\x81\x05other")
            assert data.count(b"price") == 1
            peer.send(frame(b"", 8))
            await site.settle()

        play(app, main)

    def test_text_that_cannot_be_encoded_is_refused_also_where_it_would_wait(self, play: Play) -> None:
        app = App()

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            while not socket.pressed:
                await socket.send_bytes(bytes(10_000))
            with pytest.raises(LocalProtocolError):
                await socket.send_text("\ud800")
            with pytest.raises(LocalProtocolError):
                socket.try_send("\ud800")
            await socket.send_text("sent \N{SNOWMAN}")

        async def main(site: Served) -> None:
            peer = await deaf(site)
            await asyncio.sleep(1)
            peer.stream.resume_reading()
            data = b""
            while not data.endswith(b"\x88\x02\x03\xe8"):
                data += await peer.receive()
            assert "sent \N{SNOWMAN}".encode() in data
            peer.send(frame(b"", 8))
            await site.settle()

        play(app, main)

    def test_close_gives_a_slow_peer_up_with_1013(self, play: Play) -> None:
        app = App()
        seen: list[Any] = []

        @app.websocket("/ws", policy="close")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            try:
                for _ in range(1000):
                    await socket.send_bytes(bytes(1000))
            except WebSocketClosed as error:
                seen.append(error.code)

        async def main(site: Served) -> None:
            peer = await deaf(site)
            await asyncio.sleep(1)
            assert seen == [1013]
            peer.stream.resume_reading()
            await asyncio.sleep(1)
            assert peer.receive_nowait().endswith(b"\x88\x0a\x03\xf5too slow")
            peer.send(frame(b"\x03\xf5", 8))
            await site.settle()

        play(app, main)

    def test_who_is_told_of_the_end_may_fail(self, play: Play, caplog: pytest.LogCaptureFixture) -> None:
        app = App()
        told: list[Any] = []

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            socket.on_closed(lambda socket: 1 / 0)
            socket.on_closed(told.append)
            with pytest.raises(WebSocketClosed) as caught:
                await socket.receive()
            told.append(caught.value.code)

        async def main(site: Served) -> None:
            async with site.socket("/ws"):
                pass
            await site.settle()
            assert told[1:] == [1000]
            assert "ZeroDivisionError" in caplog.text

        play(app, main)

    def test_post_never_waits(self, play: Play) -> None:
        """Framed messages go at once, wait within the bound, or are dropped and that is told."""
        app = App()
        outcome: list[bool] = []

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            frames = frame_message(bytes(1000))
            outcome.extend(socket.post(frames) for _ in range(1000))
            assert socket.window_bits is None
            await socket.receive()

        async def main(site: Served) -> None:
            peer = await deaf(site)
            await asyncio.sleep(1)
            posted = outcome.count(True)
            assert 60 < posted < 400
            assert outcome == [True] * posted + [False] * (1000 - posted)
            peer.stream.resume_reading()
            await asyncio.sleep(1)
            assert len(peer.receive_nowait()) == posted * 1004
            peer.send(frame(b"", 8))
            await site.settle()

        play(app, main)

    def test_a_peer_that_takes_nothing_is_given_up_in_time(self, play: Play) -> None:
        app = App(limits=Limits(write_timeout=30.0, websocket_ping_interval=None))
        seen: list[Any] = []

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            try:
                while True:
                    await socket.send_bytes(bytes(10_000))
            except WebSocketClosed as error:
                seen.append(error.code)

        async def main(site: Served) -> None:
            await deaf(site)
            await asyncio.sleep(29)
            assert not seen
            await asyncio.sleep(2)
            assert seen == [1006]
            await site.settle()

        play(app, main)

    def test_a_sender_that_never_waits_lets_others_have_the_loop(self, play: Play) -> None:
        app = App()
        turns: list[int] = []

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()

            async def other() -> None:
                while True:
                    turns.append(1)
                    await asyncio.sleep(0)

            task = asyncio.ensure_future(other())
            for _ in range(1000):
                await socket.send_text("")
            task.cancel()

        async def main(site: Served) -> None:
            async with site.socket("/ws") as socket:
                assert len([message async for message in socket]) == 1000
            assert len(turns) >= 10

        play(app, main)


def test_compressed_messages_are_agreed_on_and_posted(play: Play) -> None:
    app = App()
    settings = DeflateSettings(server_max_window_bits=10)

    @app.websocket("/ws", deflate=settings)
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        text = await socket.receive_text()
        await socket.send_text(text)
        assert socket.window_bits == 10
        assert socket.post(frame_message(text, window_bits=10), compressed=True)
        await socket.send_text(text)

    async def main(site: Served) -> None:
        text = "a text that says the same again and again, " * 100
        async with site.socket("/ws", deflate=DeflateSettings()) as socket:
            await socket.send_text(text)
            assert [message async for message in socket] == [text] * 3

    play(app, main)
