"""WebSockets end while they rest, by either side, a stop or a cancelled handler, and nothing of them is left."""

from __future__ import annotations

import asyncio
import gc
import socket as sockets

import pytest
from support.dozing import Echo, Raw, expected, listening, lull, over_sockets, until
from support.sockets import Served
from support.websocket_play import Play, play

from highper_core.websocket import WebSocket as Core
from highper_http import App, WebSocket, WebSocketClosed, WebSocketListener
from highper_http.websocket import ListenedSocket

__all__ = ["play"]


def test_closing_a_socket_at_rest_is_a_closing_handshake(play: Play) -> None:
    """By either side, with the code that was given."""
    echo = Echo()

    async def main(site: Served) -> None:
        async with site.socket("/ws") as socket:
            await socket.send_text("hello")
            await socket.receive()
            assert lull(site) == expected(site, 1)
            closing = asyncio.ensure_future(echo.sockets[0].close(4000, "enough"))
            with pytest.raises(WebSocketClosed):
                await socket.receive()
            await closing
            assert socket.close_code == 4000
        async with site.socket("/ws") as socket:
            await until(lambda: len(echo.sockets) == 2)
            assert lull(site) == expected(site, 1)
            await socket.close(4001, "bye")
        await site.settle()
        assert echo.closed[1] == (4001, "bye")

    play(listening(echo), main)


def test_a_peer_that_vanishes_at_rest_is_told_once(play: Play) -> None:
    """A reset, the end of input without a Close, and our own abort: 1006, and nothing is left."""
    echo = Echo()

    async def main(site: Served) -> None:
        if not over_sockets(site):
            return
        raws = [await Raw.open(site) for _ in range(3)]
        assert lull(site) == expected(site, 3)
        raws[0].reset()
        await until(lambda: len(echo.closed) == 1)
        raws[1].plain.shutdown(sockets.SHUT_WR)
        await until(lambda: len(echo.closed) == 2)
        assert await raws[1].receive(100) == b""
        echo.sockets[2].abort()
        await until(lambda: len(echo.closed) == 3)
        await site.settle()
        assert echo.closed == [(1006, "")] * 3
        for raw in raws[1:]:
            raw.plain.close()

    play(listening(echo), main)


def test_a_server_that_stops_closes_hundreds_at_rest(play: Play) -> None:
    """Every one gets its Close with 1001; nobody is taken for an idle connection, and nothing is left."""
    echo = Echo()

    async def main(site: Served) -> None:
        if not over_sockets(site):
            return
        raws = [await Raw.open(site) for _ in range(300)]
        resting = lull(site)
        assert resting == (300 if site.transport.name == "epoll" else 0)
        stopping = asyncio.ensure_future(site.server.finish())
        for raw in raws:
            assert await raw.receive(4) == b"\x88\x02\x03\xe9"
            await raw.send(b"\x88\x82" + bytes(4) + b"\x03\xe9")
        await stopping
        assert site.server._service.open == 0
        assert echo.closed == [(1001, "")] * 300
        for raw in raws:
            assert await raw.receive(1) == b""
            raw.plain.close()

    play(listening(echo), main)


def test_those_who_do_not_answer_are_aborted_and_their_handlers_cancelled(play: Play) -> None:
    """A handler that waits at rest is known to the server: it is cancelled when the time is over."""
    app = App()
    opened: list[WebSocket] = []
    ended: list[str] = []

    @app.websocket("/ws")
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        opened.append(socket)
        try:
            await socket.receive()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def main(site: Served) -> None:
        if not over_sockets(site):
            return
        raws = [await Raw.open(site) for _ in range(3)]
        await until(lambda: len(opened) == 3)
        assert lull(site) == expected(site, 3)
        await site.server.finish()
        assert ended == ["cancelled"] * 3
        assert site.server._service.open == 0
        for raw in raws:
            raw.plain.close()

    play(app, main, drain=0.2)


def test_a_handler_that_is_cancelled_at_rest_closes_its_socket(play: Play) -> None:
    """Its task lives while its stream dozes, and its end is told the peer."""
    app = App()
    opened: list[WebSocket] = []

    @app.websocket("/ws")
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        opened.append(socket)
        await socket.receive()

    async def main(site: Served) -> None:
        async with site.socket("/ws") as socket:
            await until(lambda: opened)
            assert lull(site) == expected(site, 1)
            task = opened[0].task
            gc.collect()
            assert not task.done()
            task.cancel()
            with pytest.raises(WebSocketClosed):
                await socket.receive()
            assert socket.close_code == 1001
        await site.settle()
        assert task.cancelled()

    play(app, main)


def test_nothing_of_a_socket_that_rested_is_left(play: Play) -> None:
    """Socket, core and context go with the stream, however often it dozed."""

    class Forgetful(WebSocketListener):
        def on_text(self, socket: ListenedSocket, text: str) -> None:
            socket.try_send(text)

    def left() -> int:
        gc.collect()
        return sum(isinstance(item, ListenedSocket | Core) for item in gc.get_objects())

    async def main(site: Served) -> None:
        before = left()
        async with site.socket("/ws") as socket:
            for _ in range(5):
                await socket.send_text("hello")
                await socket.receive()
                assert lull(site) == expected(site, 1)
            assert left() > before
        del socket
        await site.settle()
        assert left() == before
        if site.transport.name == "epoll":
            assert site.transport.poller.statistics()["resting"] == 0

    play(listening(Forgetful()), main)
