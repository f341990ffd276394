"""Pressure, bounds and deadlines of WebSockets, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support.sockets import UPGRADE, Served, served

from highper_core import LocalProtocolError
from highper_core.permessage_deflate import DeflateSettings
from highper_core.websocket import frame_message
from highper_http import App, Limits, WebSocket, WebSocketClosed
from highper_transports.memory import MemoryTransport, Peer

QUEUE = 64 * 1024
Main = Callable[[Served], Coroutine[Any, Any, None]]


@pytest.fixture
def play(engine_name: str) -> Callable[..., None]:
    def start(app: App, main: Main) -> None:
        async def bounded(transport: Any) -> None:
            async with served(transport, app, engine_name) as site:
                await main(site)

        MemoryTransport.run(bounded)

    return start


Play = Callable[..., None]


async def deaf(site: Served, path: bytes = b"/ws") -> Peer:
    """A client that has opened a WebSocket and reads nothing."""
    made: list[Peer] = []
    await site.transport.connect(site.address, lambda stream: made.append(Peer(stream)))
    made[0].send(UPGRADE % (path, b""))
    await made[0].receive_until(b"\r\n\r\n")
    made[0].stream.pause_reading()
    return made[0]


def frame(payload: bytes, opcode: int = 2) -> bytes:
    """What a client sends, masked with nothing."""
    length = len(payload)
    if length < 126:
        return bytes([0x80 | opcode, 0x80 | length]) + bytes(4) + payload
    if length < 1 << 16:
        return bytes([0x80 | opcode, 0xFE]) + length.to_bytes(2, "big") + bytes(4) + payload
    return bytes([0x80 | opcode, 0xFF]) + length.to_bytes(8, "big") + bytes(4) + payload


async def speak_for_ever(socket: WebSocket) -> None:
    while True:
        await socket.send_bytes(bytes(10_000))


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


class TestDeadlines:
    """Silence and slowness end a WebSocket, by the transport's timer wheel."""

    def test_a_silent_peer_is_sent_a_ping_and_then_given_up(self, play: Play) -> None:
        app = App()
        seen: list[Any] = []

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            with pytest.raises(WebSocketClosed) as caught:
                await socket.receive()
            seen.append(caught.value.code)

        async def main(site: Served) -> None:
            peer = await deaf(site)
            peer.stream.resume_reading()
            await asyncio.sleep(21)
            assert peer.receive_nowait() == b"\x89\x04\0\0\0\x01"
            await asyncio.sleep(18)
            assert not seen
            await asyncio.sleep(2)
            assert seen == [1011]
            assert peer.receive_nowait() == b"\x88\x02\x03\xf3"
            await asyncio.sleep(6)
            assert not site.server._service.open

        play(app, main)

    def test_pings_tell_the_latency_and_keep_a_quiet_socket_open(self, play: Play) -> None:
        app = App()
        seen: list[Any] = []

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            assert socket.latency is None
            await socket.receive()
            seen.append(socket.latency)

        async def main(site: Served) -> None:
            async with site.socket("/ws") as socket:
                await asyncio.sleep(3600)
                assert not socket.closed
                await socket.send_text("")
                assert [message async for message in socket] == []
            assert seen[0] >= 0

        play(app, main)

    def test_an_idle_timeout_closes_with_1001(self, play: Play) -> None:
        app = App()

        @app.websocket("/ws", limits=Limits(websocket_idle_timeout=60.0))
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            await socket.receive()

        async def main(site: Served) -> None:
            async with site.socket("/ws") as socket:
                began = site.transport.now()
                with pytest.raises(WebSocketClosed) as caught:
                    await socket.receive()
                assert caught.value.code == 1001
                assert 60 <= site.transport.now() - began < 61

        play(app, main)

    def test_a_peer_that_does_not_answer_close_is_given_up_in_time(self, play: Play) -> None:
        app = App()
        took: list[float] = []

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            began = asyncio.get_running_loop().time()
            await socket.close()
            took.append(asyncio.get_running_loop().time() - began)

        async def main(site: Served) -> None:
            await deaf(site)
            await asyncio.sleep(30)
            assert len(took) == 1
            assert 10 <= took[0] < 16
            assert not site.server._service.open

        play(app, main)

    def test_a_resting_socket_has_one_entry_in_the_wheel_and_no_timer(self, play: Play) -> None:
        app = App()

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            await socket.receive()

        async def main(site: Served) -> None:
            async with site.socket("/ws") as socket:
                for _ in range(3):
                    await socket.ping()
                await asyncio.sleep(1)
                assert len(site.transport.timers) == 1
                core = next(iter(site.server._service.awake)).receiver.core
                assert core.is_resting

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
