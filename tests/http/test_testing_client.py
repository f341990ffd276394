"""The published test client: streams both ways at once, forms with files, and failures of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import anyio
import pytest

from highper_http import App, Request, Response, WebSocket, WebSocketClosed, WebSocketDenied
from highper_http.testing import BlockingTestClient, TestClient, run
from highper_http.testing.multipart import encode_multipart


def play(app: App, main: Callable[[TestClient], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with TestClient(app) as client:
            await main(client)

    run(whole)


async def pieces(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 1000
        await anyio.sleep(0.01)


def test_content_is_sent_while_the_answer_is_read() -> None:
    """A handler that answers piece by piece while it reads, with more in all than every buffer holds."""
    app = App()

    @app.post("/echo")
    async def echo(req: Request, res: Response) -> None:
        async with res.stream() as send:
            async for piece in req.stream():
                await send(piece)

    async def main(client: TestClient) -> None:
        assert len((await client.post("/echo", content=pieces(2000))).content) == 2_000_000
        async with client.stream("POST", "/echo", content=pieces(2000)) as answer:
            assert answer.status == 200
        assert len((await client.post("/echo", content=pieces(3))).content) == 3000

    play(app, main)


def test_an_answer_may_come_before_the_content_was_sent() -> None:
    """What is left of the iterator is dropped, and the next request is answered."""
    app = App()

    @app.post("/")
    async def unread(req: Request) -> str:
        return "not interested"

    async def main(client: TestClient) -> None:
        for _ in range(2):
            assert (await client.post("/", content=pieces(5000))).text == "not interested"

    play(app, main)


def test_an_iterator_that_raises_fails_the_call() -> None:
    """The test sees its own error, not the broken stream that follows from it."""
    app = App()

    @app.post("/")
    async def size(req: Request) -> str:
        return str(len(await req.body()))

    async def broken() -> AsyncIterator[bytes]:
        yield b"some"
        raise LookupError("no more")

    async def main(client: TestClient) -> None:
        with pytest.raises(LookupError, match="no more"):
            await client.post("/", content=broken())
        assert (await client.post("/", content="abc")).text == "3"

    play(app, main)


def test_files() -> None:
    """Fields, then files; names are escaped as browsers escape them."""
    app = App()

    @app.post("/")
    async def upload(req: Request) -> dict[str, object]:
        form = await req.form()
        found = form.files()
        return {
            "title": form.field("title"),
            "files": [[file.filename, file.content_type, (await file.read()).decode()] for file in found],
        }

    with BlockingTestClient(app) as client:
        answer = client.post(
            "/",
            form={"title": "Two"},
            files={"one": ("a.txt", b"1", "text/plain"), "two": ('"\r\n.bin', b"2")},
        )
        assert answer.json() == {
            "title": "Two",
            "files": [["a.txt", "text/plain", "1"], ["%22%0D%0A.bin", "application/octet-stream", "2"]],
        }
    with pytest.raises(ValueError, match="holds the boundary"):
        encode_multipart({"a": "highper-test-boundary"}, {})


# WebSockets


def talkative() -> App:
    app = App()

    @app.websocket("/echo", subprotocols=["chat"])
    async def echo(socket: WebSocket) -> None:
        await socket.accept(headers=[("set-cookie", "seen=yes; path=/"), ("x-server", "here")])
        async for message in socket:
            if isinstance(message, str):
                await socket.send_text(message)
            else:
                await socket.send_bytes(message)

    @app.websocket("/three")
    async def three(socket: WebSocket) -> None:
        await socket.accept()
        for number in range(3):
            await socket.send_text(str(number))
        await socket.close(int(socket.query("code") or 1000), "enough")

    @app.websocket("/silent")
    async def silent(socket: WebSocket) -> None:
        await socket.accept()
        await socket.receive()

    @app.websocket("/cookies")
    async def cookies(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(", ".join(socket.headers.all("cookie")))

    @app.websocket("/private")
    async def private(socket: WebSocket) -> None:
        await socket.deny(401, "who are you?", headers=[("set-cookie", "asked=once")])

    return app


def test_a_plain_function_talks_to_a_websocket(engine_name: str) -> None:
    """Messages of each kind, pings and the end, as a coroutine would."""
    with BlockingTestClient(talkative(), engine=engine_name) as client:
        with client.websocket("/echo", subprotocols=["other", "chat"]) as socket:
            assert socket.subprotocol == "chat"
            assert socket.answer_headers.get("x-server") == "here"
            socket.send_text("hello")
            assert socket.receive() == "hello"
            socket.send_bytes(b"hello")
            assert socket.receive() == b"hello"
            socket.send_text("a")
            socket.send_bytes(b"b")
            assert (socket.receive_text(), socket.receive_bytes()) == ("a", b"b")
            socket.send_json({"a": [1]})
            socket.send_msgpack({"b": [2]})
            assert (socket.receive_json(), socket.receive_msgpack()) == ({"a": [1]}, {"b": [2]})
            assert socket.ping() >= 0
            assert (socket.closed, socket.close_code) == (False, 0)
        assert (socket.closed, socket.close_code, socket.close_reason) == (True, 1000, "")


def test_messages_of_a_websocket_are_iterated_until_it_is_closed() -> None:
    """Quietly where it ended well, by an error where it did not."""
    with BlockingTestClient(talkative()) as client:
        with client.websocket("/three") as socket:
            assert list(socket) == ["0", "1", "2"]
            socket.wait_closed()
            assert socket.close_reason == "enough"
        with client.websocket("/three?code=1012") as socket, pytest.raises(WebSocketClosed) as caught:
            list(socket)
        assert (caught.value.code, caught.value.reason) == (1012, "enough")
        with client.websocket("/echo") as socket:
            socket.close(4000, "mine")
            with pytest.raises(WebSocketClosed):
                socket.send_text("late")


def test_a_call_of_a_plain_function_does_not_wait_for_ever() -> None:
    """Although Pings keep a silent socket open; the socket can be used on."""
    with BlockingTestClient(talkative()) as client, client.websocket("/silent", patience=600) as socket:
        with pytest.raises(TimeoutError):
            socket.receive()
        assert not socket.closed
        socket.send_text("now")
        with pytest.raises(WebSocketClosed) as caught:
            socket.receive()
        assert caught.value.code == 1000


def test_cookies_that_open_or_deny_a_websocket_are_kept() -> None:
    """As those of any answer."""
    with BlockingTestClient(talkative()) as client:
        with pytest.raises(WebSocketDenied) as caught, client.websocket("/private"):
            raise AssertionError("it was opened")
        assert (caught.value.status, caught.value.content) == (401, b"who are you?")
        with client.websocket("/echo"):
            pass
        assert client.cookies == {"asked": "once", "seen": "yes"}
        with client.websocket("/cookies") as socket:
            assert socket.receive() == "asked=once; seen=yes"
        with client.websocket("/cookies", headers={"Cookie": "mine=1"}) as socket:
            assert socket.receive() == "mine=1"
