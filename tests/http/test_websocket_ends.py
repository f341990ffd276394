"""How a WebSocket ends, and what both sides are told: by a close, a fault, a vanished peer or a server that stops."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.sockets import UPGRADE, Served, dial, echoing
from support.websocket_play import Play, play

from highper_http import App, WebSocket, WebSocketClosed
from highper_http.websocket import SocketState
from highper_transports.errors import StreamBusy

__all__ = ["play"]


class TestEnds:
    """How a WebSocket ends, and what is known of it then."""

    def test_the_clients_close_ends_the_iteration(self, play: Play) -> None:
        app = App()
        seen: list[Any] = []

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            seen.extend([message async for message in socket])
            seen.append((socket.close_code, socket.close_reason, socket.closed))
            with pytest.raises(WebSocketClosed):
                await socket.send_text("late")
            with pytest.raises(WebSocketClosed):
                await socket.receive()
            assert not socket.try_send("late")

        async def main(site: Served) -> None:
            async with site.socket("/ws") as socket:
                await socket.send_text("a")
                await socket.close(1001, "bye")
                assert socket.state is SocketState.CLOSED
            await site.settle()
            assert seen == ["a", (1001, "bye", True)]

        play(app, main)

    def test_a_code_that_says_more_is_raised(self, play: Play) -> None:
        app = App()

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            await socket.send_text("last")
            await socket.close(4001, "not you")

        async def main(site: Served) -> None:
            async with site.socket("/ws") as socket:
                assert await socket.receive() == "last"
                with pytest.raises(WebSocketClosed) as caught:
                    async for _ in socket:
                        pass
                assert (caught.value.code, caught.value.reason) == (4001, "not you")

        play(app, main)

    def test_a_handler_that_returns_closes_with_1000_and_one_that_raises_with_1011(self, play: Play) -> None:
        app = App()

        @app.websocket("/return")
        async def leave(socket: WebSocket) -> None:
            await socket.accept()

        @app.websocket("/raise")
        async def fail(socket: WebSocket) -> None:
            await socket.accept()
            raise ValueError("secret")

        async def main(site: Served) -> None:
            for path, code in (("/return", 1000), ("/raise", 1011)):
                async with site.socket(path) as socket:
                    with pytest.raises(WebSocketClosed) as caught:
                        await socket.receive()
                    assert (caught.value.code, caught.value.reason) == (code, "")

        play(app, main)

    def test_a_client_that_vanishes_is_1006(self, play: Play) -> None:
        app = App()
        seen: list[int] = []

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            with pytest.raises(WebSocketClosed) as caught:
                async for _ in socket:
                    pass
            seen.append(caught.value.code)

        async def main(site: Served) -> None:
            async with site.socket("/ws") as socket:
                socket.abort()
            await site.settle()
            assert seen == [1006]

        play(app, main)

    @pytest.mark.parametrize(
        ("frame", "code"),
        [(b"\x81\x01x", 1002), (b"\xf1\x80\0\0\0\0", 1002), (b"\x81\x82\0\0\0\0\xff\xff", 1007)],
    )
    def test_a_peer_that_breaks_a_rule_is_told_which(self, play: Play, frame: bytes, code: int) -> None:
        async def main(site: Served) -> None:
            peer = await dial(site)
            peer.send(UPGRADE % (b"/echo", b"") + frame + b"\0" * 100_000)
            answer = await peer.receive_all()
            assert answer.endswith(b"\x88\x02" + code.to_bytes(2, "big"))
            peer.close()
            await site.settle()

        play(echoing(), main)

    def test_a_message_beyond_the_bound_is_1009(self, play: Play) -> None:
        app = App()

        @app.websocket("/small", limits=App().limits.replace(websocket_message=1000))
        async def small(socket: WebSocket) -> None:
            await socket.accept()
            await socket.receive()

        async def main(site: Served) -> None:
            async with site.socket("/small") as socket:
                await socket.send_bytes(bytes(500_000))
                with pytest.raises(WebSocketClosed) as caught:
                    await socket.receive()
                assert caught.value.code == 1009

        play(app, main)

    @pytest.mark.parametrize(("wanted", "code"), [("text", 1003), ("bytes", 1003), ("json", 1007), ("msgpack", 1007)])
    def test_a_message_of_another_kind_closes_the_socket(self, play: Play, wanted: str, code: int) -> None:
        app = App()

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            await getattr(socket, f"receive_{wanted}")()

        async def main(site: Served) -> None:
            async with site.socket("/ws") as socket:
                if wanted in ("bytes", "json"):
                    await socket.send_text("{")
                else:
                    await socket.send_bytes(b"\xc1")
                with pytest.raises(WebSocketClosed) as caught:
                    await socket.receive()
                assert caught.value.code == code

        play(app, main)

    def test_one_task_at_a_time_receives(self, play: Play) -> None:
        app = App()

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            first = asyncio.ensure_future(socket.receive())
            await asyncio.sleep(0.01)
            with pytest.raises(StreamBusy):
                await socket.receive()
            await socket.send_text("now")
            assert await first == "one"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(socket.receive(), 0.05)
            await socket.send_text("again")
            assert await socket.receive() == "two"

        async def main(site: Served) -> None:
            async with site.socket("/ws") as socket:
                assert await socket.receive() == "now"
                await socket.send_text("one")
                assert await socket.receive() == "again"
                await socket.send_text("two")
                assert [message async for message in socket] == []

        play(app, main)


class TestStop:
    """A server that stops takes leave of its sockets."""

    @pytest.mark.parametrize(("withdraws", "code"), [(False, 1001), (True, 1012)])
    def test_the_application_is_told_and_then_every_socket_is_closed(
        self, play: Play, withdraws: bool, code: int
    ) -> None:
        app = App()
        sockets: list[WebSocket] = []
        order: list[str] = []

        @app.on_drain
        async def farewell() -> None:
            order.append("drain")
            for socket in sockets:
                await socket.send_text("farewell")

        @app.on_shutdown
        def down() -> None:
            order.append("shutdown")

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            sockets.append(socket)
            try:
                async for _ in socket:
                    pass
            except WebSocketClosed:
                pass
            order.append("handler")

        async def main(site: Served) -> None:
            async with site.socket("/ws") as socket:
                await socket.ping()
                (site.server.withdraw if withdraws else site.server.stop)()
                stopping = asyncio.ensure_future(site.server.finish())
                assert await socket.receive() == "farewell"
                with pytest.raises(WebSocketClosed) as caught:
                    await socket.receive()
                assert caught.value.code == code
                await stopping
            assert order == ["drain", "handler", "shutdown"]

        play(app, main, quiet=0.1)

    def test_a_handler_that_does_not_end_is_cancelled(self, play: Play) -> None:
        app = App()
        order: list[str] = []

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            try:
                await asyncio.sleep(3600)
            finally:
                order.append("cancelled")

        async def main(site: Served) -> None:
            async with site.socket("/ws") as socket:
                await socket.ping()
                await site.server.finish()
                assert socket.closed
                assert order == ["cancelled"]

        play(app, main, drain=0.2)
