"""HTTP middleware around the handshake and socket middleware around the socket, and the context of each socket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.sockets import UPGRADE, Served, dial
from support.websocket_play import Play, play

from highper_http import App, Forbidden, WebSocket, WebSocketClosed
from highper_http.websocket.denied import WebSocketDenied

__all__ = ["play"]


class TestMiddleware:
    """HTTP middleware around the handshake, socket middleware around the socket."""

    def test_http_middleware_is_done_before_the_socket_is_open(self, play: Play) -> None:
        app = App()
        order: list[str] = []

        @app.use
        async def around(req: Any, res: Any, next: Any) -> None:
            order.append("in")
            req.locals.user = "ada"
            await next()
            order.append("out")
            res.header("x-seen", "yes")
            res.cookie("session", "7")

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            order.append("handler")
            await socket.accept()
            order.append("open")
            await socket.send_text(socket.locals.user)
            await socket.receive()

        async def main(site: Served) -> None:
            async with site.socket("/ws") as socket:
                assert await socket.receive() == "ada"
            assert order == ["in", "handler", "out", "open"]
            peer = await dial(site)
            peer.send(UPGRADE % (b"/ws", b""))
            head = await peer.receive_until(b"\r\n\r\n")
            assert b"x-seen: yes\r\n" in head
            assert b"set-cookie: session=7" in head
            peer.close()
            await site.settle()

        play(app, main)

    def test_middleware_may_answer_otherwise(self, play: Play) -> None:
        app = App()
        raised: list[BaseException] = []

        @app.use
        async def refuse(req: Any, res: Any, next: Any) -> None:
            await next()
            raise Forbidden("after all")

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            try:
                await socket.accept()
            except WebSocketClosed as error:
                raised.append(error)

        async def main(site: Served) -> None:
            with pytest.raises(WebSocketDenied) as caught:
                async with site.socket("/ws"):
                    pass
            assert caught.value.status == 403
            await site.settle()
            assert [type(error) for error in raised] == [WebSocketClosed]

        play(app, main)

    def test_socket_middleware_wraps_the_handler_outermost_first(self, play: Play) -> None:
        app = App()
        order: list[str] = []

        def layer(name: str) -> Any:
            async def around(socket: Any, next: Any) -> None:
                order.append(f"{name} in")
                await next()
                order.append(f"{name} out")

            return around

        app.use_websocket(layer("app"))
        rooms = app.group("/rooms")
        rooms.use_websocket(layer("group"))

        @rooms.websocket("/:room", socket_middleware=[layer("route")])
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            order.append(socket.param("room"))

        @app.get("/")
        async def home(req: Any) -> str:
            return "home"

        async def main(site: Served) -> None:
            async with site.socket("/rooms/attic") as socket:
                assert [message async for message in socket] == []
            await site.settle()
            assert order == ["app in", "group in", "route in", "attic", "route out", "group out", "app out"]

        play(app, main)

    def test_each_socket_has_its_own_context_and_task(self, play: Play) -> None:
        from contextvars import ContextVar

        variable: ContextVar[str] = ContextVar("variable", default="unset")
        app = App()
        tasks: set[Any] = set()

        @app.use
        async def outer(req: Any, res: Any, next: Any) -> None:
            variable.set(f"middleware {variable.get()}")
            await next()

        @app.websocket("/ws/:name")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()
            tasks.add(asyncio.current_task())
            before = variable.get()
            variable.set(socket.param("name"))
            await socket.receive()
            await socket.send_json([before, variable.get()])
            await socket.receive()

        async def main(site: Served) -> None:
            async with site.socket("/ws/a") as one, site.socket("/ws/b") as two:
                for socket, name in ((two, "b"), (one, "a")):
                    await socket.send_text("now")
                    assert await socket.receive_json() == ["middleware unset", name]
                assert len(tasks) == 2

        play(app, main)
