"""WebSockets on the routes of an application, over every provider and either engine."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from support.sockets import UPGRADE, Served
from support.websocket_play import Play, play

from highper_core import LocalProtocolError
from highper_http import App, Forbidden, Request, Response, WebSocket, WebSocketClosed
from highper_http.websocket import SocketState
from highper_http.websocket.denied import WebSocketDenied
from highper_transports.errors import StreamBusy
from highper_transports.memory import Peer

__all__ = ["play"]


async def dial(site: Served) -> Peer:
    """Open a stream to play the client by hand."""
    made: list[Peer] = []
    await site.transport.connect(site.address, lambda stream: made.append(Peer(stream)))
    return made[0]


def echoing() -> App:
    app = App()

    @app.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        async for message in socket:
            if isinstance(message, str):
                await socket.send_text(message)
            else:
                await socket.send_bytes(message)

    return app


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
