"""Listeners: what comes at a WebSocket is told by callbacks, without a task."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar
from typing import Any

import pytest
from support.sockets import Served
from support.websocket_play import Play, play

from highper_http import App, SetupError, WebSocketClosed, WebSocketListener
from highper_http.websocket import ListenedSocket
from highper_http.websocket.denied import WebSocketDenied

__all__ = ["play"]


class Recorder(WebSocketListener):
    """Echoes, and keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def on_open(self, socket: ListenedSocket) -> None:
        self.told.append(("open", socket.path))
        socket.locals.name = socket.query("name")

    def on_text(self, socket: ListenedSocket, text: str) -> None:
        self.told.append(text)
        socket.try_send(f"{socket.locals.name} {text}")

    def on_bytes(self, socket: ListenedSocket, data: bytes) -> None:
        self.told.append(data)
        socket.try_send(data)

    def on_ping(self, socket: ListenedSocket, data: bytes) -> None:
        self.told.append("ping")

    def on_close(self, socket: ListenedSocket, code: int, reason: str) -> None:
        self.told.append(("close", code, reason))


def test_callbacks_are_told_what_comes_in_order(play: Play) -> None:
    app = App()
    recorder = Recorder()
    app.websocket("/ws")(recorder)  # type: ignore[type-var]

    async def main(site: Served) -> None:
        async with site.socket("/ws?name=ada") as socket:
            await socket.send_text("hello")
            assert await socket.receive() == "ada hello"
            await socket.send_bytes(b"x" * 200_000)
            assert await socket.receive() == b"x" * 200_000
            await socket.ping()
            await socket.close(4000, "done")
        await site.settle()
        assert recorder.told == [("open", "/ws"), "hello", b"x" * 200_000, "ping", ("close", 4000, "done")]

    play(app, main)


def test_no_task_exists_while_nothing_comes(play: Play) -> None:
    app = App()
    app.websocket("/ws")(Recorder)

    async def main(site: Served) -> None:
        async with site.socket("/ws") as socket:
            await socket.ping()
            assert not site.server._site.tasks
            assert asyncio.all_tasks() == {asyncio.current_task()}

    play(app, main)


def test_the_request_is_let_go_of_unless_it_is_asked_for(play: Play) -> None:
    app = App()

    class Forgets(WebSocketListener):
        def on_message(self, socket: ListenedSocket, message: str | bytes) -> None:
            with pytest.raises(RuntimeError):
                socket.header("host")
            socket.try_send(f"{socket.subprotocol}")

    class Keeps(WebSocketListener):
        keep_request = True

        def on_message(self, socket: ListenedSocket, message: str | bytes) -> None:
            socket.try_send(f"{socket.subprotocol} {socket.header('host')}")

    app.websocket("/forgets", subprotocols=["a"])(Forgets)
    app.websocket("/keeps", subprotocols=["a"])(Keeps)

    async def main(site: Served) -> None:
        for path, expected in (("/forgets", "a"), ("/keeps", "a site.example")):
            async with site.socket(path, subprotocols=["a"]) as socket:
                await socket.send_text("")
                assert await socket.receive() == expected

    play(app, main)


def test_it_may_deny(play: Play) -> None:
    app = App()

    @app.websocket("/ws")
    class Denies(WebSocketListener):
        async def on_connect(self, socket: ListenedSocket) -> None:
            await asyncio.sleep(0)
            await socket.deny(401)

        def on_close(self, socket: ListenedSocket, code: int, reason: str) -> None:
            raise AssertionError("it was never open")

    async def main(site: Served) -> None:
        with pytest.raises(WebSocketDenied) as caught:
            async with site.socket("/ws"):
                pass
        assert caught.value.status == 401

    play(app, main)


def test_socket_middleware_wraps_its_on_connect(play: Play) -> None:
    app = App()
    order: list[str] = []

    @app.use_websocket
    async def around(socket: Any, next: Any) -> None:
        order.append("in")
        await next()
        order.append("out")

    app.websocket("/ws")(Recorder)

    async def main(site: Served) -> None:
        async with site.socket("/ws") as socket:
            await socket.ping()
            assert order == ["in", "out"]

    play(app, main)


def test_a_callback_that_raises_closes_its_socket_alone(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    app = App()

    @app.websocket("/ws")
    class Fails(WebSocketListener):
        def on_message(self, socket: ListenedSocket, message: str | bytes) -> None:
            if message == "fail":
                raise ValueError("on purpose")
            socket.try_send(message)

    async def main(site: Served) -> None:
        async with site.socket("/ws") as one, site.socket("/ws") as two:
            await one.send_text("fail")
            with pytest.raises(WebSocketClosed) as caught:
                await one.receive()
            assert caught.value.code == 1011
            await two.send_text("fine")
            assert await two.receive() == "fine"

    with caplog.at_level(logging.ERROR):
        play(app, main)
    assert "Fails failed" in caplog.text


@pytest.mark.filterwarnings("error")
def test_a_callback_may_close_without_waiting(play: Play) -> None:
    app = App()

    @app.websocket("/ws")
    class Closing(WebSocketListener):
        def on_text(self, socket: ListenedSocket, text: str) -> None:
            socket.try_send("last words")
            socket.close(4001, text)

    async def main(site: Served) -> None:
        async with site.socket("/ws") as socket:
            await socket.send_text("that is enough")
            assert await socket.receive() == "last words"
            with pytest.raises(WebSocketClosed) as caught:
                await socket.receive()
            assert (caught.value.code, caught.value.reason) == (4001, "that is enough")
        await site.settle()

    play(app, main)


def test_closing_may_be_waited_for_in_a_task(play: Play) -> None:
    app = App()

    @app.websocket("/ws")
    class Silent(WebSocketListener):
        pass

    async def main(site: Served) -> None:
        async with site.socket("/ws") as socket:
            closing = asyncio.create_task(socket.close(4002))
            await closing
            assert socket.close_code == 4002
            given_up = asyncio.create_task(socket.close())
            given_up.cancel()
            with pytest.raises(asyncio.CancelledError):
                await given_up
        await site.settle()

    play(app, main)


def test_each_socket_keeps_its_own_context(play: Play) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    app = App()

    @app.websocket("/ws")
    class Sets(WebSocketListener):
        def on_message(self, socket: ListenedSocket, message: str | bytes) -> None:
            socket.try_send(variable.get())
            variable.set(str(message))

    async def main(site: Served) -> None:
        async with site.socket("/ws") as one, site.socket("/ws") as two:
            for socket, name in ((one, "a"), (two, "b")):
                await socket.send_text(name)
                assert await socket.receive() == "unset"
            for socket, name in ((one, "a"), (two, "b")):
                await socket.send_text("")
                assert await socket.receive() == name

    play(app, main)


def test_a_peer_that_takes_nothing_is_not_read_from(play: Play) -> None:
    """A listener that answers cannot be made to hold more than its queue and one message."""
    app = App()
    most: list[int] = [0]

    @app.websocket("/ws")
    class Echo(WebSocketListener):
        def on_message(self, socket: ListenedSocket, message: str | bytes) -> None:
            assert socket.try_send(message)
            most[0] = max(most[0], socket.unsent)

    async def main(site: Served) -> None:
        size = 60_000
        async with site.socket("/ws") as socket, asyncio.TaskGroup() as group:
            sending = group.create_task(_send_many(socket, size, 400))
            await asyncio.sleep(0.3)
            for _ in range(400):
                assert len(await socket.receive_bytes()) == size
            await sending
        assert most[0] <= 64 * 1024 + 2 * size

    play(app, main)


async def _send_many(socket: Any, size: int, count: int) -> None:
    for _ in range(count):
        await socket.send_bytes(bytes(size))


def test_what_is_no_callback_is_told_at_registration() -> None:
    class Waits(WebSocketListener):
        async def on_message(self, socket: ListenedSocket, message: str | bytes) -> None:  # type: ignore[override]
            pass

    class Hurries(WebSocketListener):
        def on_connect(self, socket: ListenedSocket) -> None:  # type: ignore[override]
            pass

    for wrong in (Waits, Hurries):
        with pytest.raises(SetupError):
            App().websocket("/ws")(wrong)
    with pytest.raises(SetupError):
        App().websocket("/ws")(lambda socket: None)
    with pytest.raises(SetupError):
        App().websocket("/ws", policy="whatever")
    with pytest.raises(SetupError):
        App().websocket("/ws", origins=["a.example"])(Recorder)
