"""Pings, idle timeouts and the close's timeout of WebSockets, on virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.sockets import Served
from support.websocket_memory import Play, deaf, play

from highper_http import App, Limits, WebSocket, WebSocketClosed

__all__ = ["play"]


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
