"""What is said before a WebSocket is open, and who is let in, over every provider and either engine."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from support.sockets import UPGRADE, Served, dial, echoing
from support.websocket_play import Play, play

from highper_core import LocalProtocolError
from highper_http import App, Forbidden, Request, Response, WebSocket, WebSocketClosed
from highper_http.websocket import SocketState
from highper_http.websocket.denied import WebSocketDenied

__all__ = ["play"]


class TestOpening:
    """What the opening handshake tells, and what it answers."""

    def test_the_request_can_be_looked_at(self, play: Play) -> None:
        app = App()

        @app.websocket("/rooms/:room/{number:int}", name="room")
        async def room(socket: WebSocket) -> None:
            assert socket.subprotocols == ("a", "b")
            await socket.accept("b", headers=[("x-extra", "yes")])
            await socket.send_json(
                {
                    "params": socket.params,
                    "room": socket.param("room"),
                    "query": socket.query("q"),
                    "field": socket.header("x-field"),
                    "cookie": socket.request.cookie("c"),
                    "path": socket.path,
                    "client": isinstance(socket.request.client, tuple),
                    "subprotocol": socket.subprotocol,
                }
            )

        async def main(site: Served) -> None:
            fields = {"x-field": "value", "cookie": "c=d"}
            async with site.socket("/rooms/attic/7?q=1", headers=fields, subprotocols=["a", "b"]) as socket:
                assert socket.subprotocol == "b"
                assert await socket.receive_json() == {
                    "params": {"room": "attic", "number": 7},
                    "room": "attic",
                    "query": "1",
                    "field": "value",
                    "cookie": "d",
                    "path": "/rooms/attic/7",
                    "client": True,
                    "subprotocol": "b",
                }
            assert app.url_for("room", room="attic", number=7) == "/rooms/attic/7"

        play(app, main)

    def test_the_first_subprotocol_of_the_client_that_the_route_speaks_is_chosen(self, play: Play) -> None:
        app = App()

        @app.websocket("/spoken", subprotocols=["y", "x"])
        async def spoken(socket: WebSocket) -> None:
            await socket.accept()

        async def main(site: Served) -> None:
            async with site.socket("/spoken", subprotocols=["w", "x", "y"]) as socket:
                assert socket.subprotocol == "x"
            async with site.socket("/spoken", subprotocols=["w"]) as socket:
                assert socket.subprotocol is None

        play(app, main)

    def test_a_subprotocol_the_client_did_not_name_is_refused_to_the_handler(self, play: Play) -> None:
        app = App()

        @app.websocket("/wrong")
        async def wrong(socket: WebSocket) -> None:
            with pytest.raises(LocalProtocolError):
                await socket.accept("other")
            await socket.accept()

        async def main(site: Served) -> None:
            async with site.socket("/wrong") as socket:
                assert [message async for message in socket] == []

        play(app, main)

    @pytest.mark.parametrize(
        ("path", "status", "content"),
        [("/deny", 401, b"who are you"), ("/silent", 403, b""), ("/raise", 403, b"out"), ("/fail", 500, b"")],
    )
    def test_a_handler_that_does_not_accept_answers_as_http(
        self, play: Play, path: str, status: int, content: bytes
    ) -> None:
        app = App()

        @app.websocket("/deny")
        async def deny(socket: WebSocket) -> None:
            await socket.deny(401, "who are you", headers=[("www-authenticate", "Basic")])

        @app.websocket("/silent")
        async def silent(socket: WebSocket) -> None:
            assert socket.state is SocketState.CONNECTING

        @app.websocket("/raise")
        async def forbid(socket: WebSocket) -> None:
            raise Forbidden("out")

        @app.websocket("/fail")
        async def fail(socket: WebSocket) -> None:
            raise ValueError("secret")

        async def main(site: Served) -> None:
            with pytest.raises(WebSocketDenied) as caught:
                async with site.socket(path):
                    pass
            assert caught.value.status == status
            peer = await dial(site)
            peer.send(UPGRADE % (path.encode(), b"") + UPGRADE % (path.encode(), b"connection: close\r\n"))
            both = await peer.receive_all()
            assert both.count(b"HTTP/1.1 %d " % status) == 2  # the connection is HTTP still
            assert content in both
            assert b"secret" not in both
            peer.close()

        play(app, main)

    @pytest.mark.parametrize(
        ("head", "status", "field"),
        [
            (b"GET /echo HTTP/1.1\r\nhost: a\r\n", 426, b"sec-websocket-version: 13"),
            (b"HEAD /echo HTTP/1.1\r\nhost: a\r\n", 426, b"upgrade: websocket"),
            (b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n", 405, b"allow: GET"),
            (
                b"GET /echo HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
                b"sec-websocket-version: 12\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                426,
                b"sec-websocket-version: 13",
            ),
            (
                b"GET /echo HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
                b"sec-websocket-version: 13\r\nsec-websocket-key: short\r\n",
                400,
                b"content-type",
            ),
            (UPGRADE[:-4] % b"/echo" + b"content-length: 3\r\n", 400, b"content-type"),
        ],
    )
    def test_what_is_no_opening_handshake_is_told_so(self, play: Play, head: bytes, status: int, field: bytes) -> None:
        async def main(site: Served) -> None:
            peer = await dial(site)
            peer.send(head + b"\r\nabc")
            answer = await peer.receive_until(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 %d " % status)
            assert field.lower() in answer.lower()
            peer.close()

        play(echoing(), main)

    @pytest.mark.parametrize(
        ("allowed", "origin", "opens"),
        [
            (None, None, True),
            (None, "http://site.example", True),
            (None, "https://SITE.example:443", True),
            (None, "https://evil.example", False),
            (None, "http://site.example.evil.example", False),
            (None, "https://site.example:8443", False),
            (None, "null", False),
            ("*", "https://evil.example", True),
            (["https://a.example"], "https://a.example", True),
            (["https://a.example"], "http://a.example", False),
            (["https://a.example"], "http://site.example", False),
            (["https://a.example"], None, True),
        ],
    )
    def test_pages_of_other_origins_are_not_let_in(
        self, play: Play, allowed: Any, origin: str | None, opens: bool
    ) -> None:
        app = App()

        @app.websocket("/ws", origins=allowed)
        async def ws(socket: WebSocket) -> None:
            await socket.accept()

        async def main(site: Served) -> None:
            if opens:
                async with site.socket("/ws", origin=origin):
                    return
            with pytest.raises(WebSocketDenied) as caught:
                async with site.socket("/ws", origin=origin):
                    pass
            assert caught.value.status == 403

        play(app, main)

    def test_a_request_that_names_two_origins_is_malformed(self, play: Play) -> None:
        app = App()

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await socket.accept()

        async def main(site: Served) -> None:
            peer = await dial(site)
            peer.send(UPGRADE % (b"/ws", b"origin: http://site.example\r\norigin: https://evil.example\r\n"))
            assert (await peer.receive_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
            peer.close()

        play(app, main)

    def test_a_handler_that_leaves_before_its_socket_is_open_leaves_none_open(self, play: Play) -> None:
        app = App()

        @app.use
        async def slow(request: Request, response: Response, next: Any) -> None:
            await next()
            await asyncio.sleep(0.1)

        @app.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await socket.accept()

        async def main(site: Served) -> None:
            async with site.socket("/ws") as socket:
                with pytest.raises(WebSocketClosed) as caught:
                    await socket.receive()
                assert caught.value.code == 1000
            await site.settle()

        play(app, main)

    def test_a_handler_that_does_not_decide_in_time_is_cancelled(self, play: Play) -> None:
        app = App(limits=App().limits.replace(websocket_handshake_timeout=0.05))
        ended: list[str] = []

        @app.websocket("/slow")
        async def slow(socket: WebSocket) -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

        async def main(site: Served) -> None:
            with pytest.raises(WebSocketDenied) as caught:
                async with site.socket("/slow"):
                    pass
            assert caught.value.status == 503
            await asyncio.sleep(0)
            assert ended == ["cancelled"]

        play(app, main)

    def test_a_client_that_vanishes_before_the_answer_ends_the_handler(self, play: Play) -> None:
        app = App()
        ended: list[str] = []

        @app.websocket("/slow")
        async def slow(socket: WebSocket) -> None:
            ended.append("begun")
            try:
                await asyncio.sleep(60)
            finally:
                ended.append("ended")

        async def main(site: Served) -> None:
            peer = await dial(site)
            peer.send(UPGRADE % (b"/slow", b""))
            while not ended:
                await asyncio.sleep(0.01)
            peer.reset()
            await site.settle()
            assert ended == ["begun", "ended"]

        play(app, main)

    def test_bytes_behind_the_handshake_are_messages(self, play: Play) -> None:
        async def main(site: Served) -> None:
            peer = await dial(site)
            frame = b"\x81\x85\0\0\0\0hello"
            peer.send(UPGRADE % (b"/echo", b"") + frame)
            answer = await peer.receive_until(b"hello")
            assert answer.startswith(b"HTTP/1.1 101 ")
            assert answer.endswith(b"\r\n\r\n\x81\x05hello")
            peer.close()
            await site.settle()

        play(echoing(), main)
