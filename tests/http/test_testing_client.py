"""The published test client: streams both ways at once, forms with files, and failures of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import anyio
import pytest

from highper_http import App, Request, Response
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
