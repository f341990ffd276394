"""Content of requests and answers, as it comes and goes: streamed, held up, of files, behind one another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from support.applications import Serve, engine, serve

from highper_core.errors import HighperError
from highper_http import App, HTTPError, Request, Response
from highper_http.testing import TestClient

__all__ = ["engine", "serve"]


def test_streaming_out(serve: Serve) -> None:
    """Pieces arrive as they are sent, on virtual time; a length that was set is kept."""
    app = App()

    @app.get("/chunked")
    async def chunked(req: Request, res: Response) -> None:
        async with res.stream() as send:
            for number in range(5):
                await send(f"{number}")
                await anyio.sleep(3600)

    @app.get("/known")
    async def known(req: Request, res: Response) -> None:
        res.header("content-length", 4)
        async with res.stream() as send:
            await send(b"ab")
            await send(b"cd")

    @app.get("/short")
    async def short(req: Request, res: Response) -> None:
        res.header("content-length", 4)
        async with res.stream() as send:
            await send(b"ab")

    @app.get("/long")
    async def long(req: Request, res: Response) -> None:
        res.header("content-length", 4)
        async with res.stream() as send:
            await send(b"abcdef")

    async def main(client: TestClient) -> None:
        async with client.stream("GET", "/chunked") as answer:
            assert answer.headers["transfer-encoding"] == "chunked"
            pieces = [(piece, anyio.current_time()) async for piece in answer]
        assert [piece for piece, _ in pieces] == [b"0", b"1", b"2", b"3", b"4"]
        assert 3599 < pieces[1][1] - pieces[0][1] < 3601
        answer = await client.get("/known")
        assert (answer.content, answer.header("content-length")) == (b"abcd", "4")
        for path in ("/short", "/long"):
            with pytest.raises(HighperError):
                await client.get(path)
        assert (await client.get("/known")).content == b"abcd"

    serve(app, main)


def test_back_pressure_out(serve: Serve) -> None:
    """A handler that streams to a client that does not read is held up, and its memory bounded."""
    app = App()
    sent: list[int] = []

    @app.get("/")
    async def endless(req: Request, res: Response) -> None:
        async with res.stream() as send:
            for _ in range(10_000):
                await send(bytes(10_000))
                sent.append(10_000)

    async def main(client: TestClient) -> None:
        async with client.stream("GET", "/") as answer:
            await anyio.sleep(20)
            held = sum(sent)
            assert held < 2_000_000
            async for _ in answer:
                if sum(sent) > held + 1_000_000:
                    break

    serve(app, main)
    assert sum(sent) < 10_000_000


def test_streaming_in(serve: Serve) -> None:
    """Content is handled as it arrives; one that nobody reads is drained or refused, and the next request served."""
    app = App()

    @app.post("/sum")
    async def total(req: Request) -> dict[str, int]:
        size = pieces = 0
        async for piece in req.stream():
            size += len(piece)
            pieces += 1
        return {"size": size, "several": pieces > 1}

    @app.post("/unread")
    async def unread(req: Request) -> str:
        return "not interested"

    @app.post("/small", max_body=10)
    async def small(req: Request) -> bytes:
        return await req.body()

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield bytes(100_000)
            await anyio.sleep(1)

    async def main(client: TestClient) -> None:
        answer = await client.post("/sum", content=pieces())
        assert answer.json() == {"size": 1_000_000, "several": True}
        answer = await client.post("/sum", content=bytes(3_000_000))
        assert answer.json() == {"size": 3_000_000, "several": True}
        for content in (b"a" * 1000, b"a" * 3_000_000):
            assert (await client.post("/unread", content=content)).text == "not interested"
        assert (await client.post("/small", content="0123456789")).content == b"0123456789"
        assert (await client.post("/small", content="0123456789a")).status == 413
        assert (await client.post("/small", content="ok")).text == "ok"

    serve(app, main)


def test_files(serve: Serve, tmp_path: Path) -> None:
    """A file of any size arrives whole."""
    content = bytes(range(256)) * 4000
    (tmp_path / "a.bin").write_bytes(content)
    (tmp_path / "empty").write_bytes(b"")
    app = App()

    @app.get("/*path")
    async def file(req: Request, res: Response) -> None:
        res.file(req.param("path"), root=tmp_path)

    async def main(client: TestClient) -> None:
        assert (await client.get("/a.bin")).content == content
        assert (await client.get("/empty")).content == b""
        answer = await client.head("/a.bin")
        assert (answer.content, answer.header("content-length")) == (b"", str(len(content)))
        assert (await client.get("/%2e%2e/a")).status == 404
        assert (await client.get("/a.bin")).content == content

    serve(app, main)


def test_expect_continue(serve: Serve) -> None:
    """100 Continue is sent when the content is first asked for; a refusal comes without it."""
    app = App()

    @app.post("/read")
    async def read(req: Request) -> bytes:
        return await req.body()

    @app.post("/refuse")
    async def refuse(req: Request) -> None:
        raise HTTPError(403)

    head = b" HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"

    async def main(client: TestClient) -> None:
        peer = await client.transport.dial(client.server.addresses[0])
        peer.send(b"POST /read" + head)
        assert await peer.receive_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.send(b"ab")
        assert (await peer.receive_until(b"\r\n\r\nab")).startswith(b"HTTP/1.1 200 OK\r\n")
        peer.send(b"POST /refuse" + head)
        assert (await peer.receive_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 403 Forbidden\r\n")

    serve(app, main)


def test_a_broken_body_is_told_to_its_reader(serve: Serve) -> None:
    """A chunk that is none ends the wait of whoever reads, with 400 and the connection's end."""
    app = App()

    @app.post("/")
    async def read(req: Request) -> bytes:
        return await req.body()

    async def main(client: TestClient) -> None:
        peer = await client.transport.dial(client.server.addresses[0])
        peer.send(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n")
        await anyio.sleep(1)
        peer.send(b"zz\r\n")
        answer = await peer.receive_all()
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"connection: close" in answer

    serve(app, main)


def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    """A slow first answer holds up the second; no record is shared."""
    app = App()

    @app.get("/{seconds:int}")
    async def wait(req: Request) -> str:
        mine = req.param("seconds")
        await anyio.sleep(mine)
        return f"[{req.param('seconds')}={mine}]"

    async def main(client: TestClient) -> None:
        peer = await client.transport.dial(client.server.addresses[0])
        peer.send(b"".join(b"GET /%d HTTP/1.1\r\nhost: a\r\n\r\n" % number for number in (3, 0, 2, 1)))
        peer.half_close()
        answer = await peer.receive_all()
        assert [part[: part.index(b"]")] for part in answer.split(b"[")[1:]] == [b"3=3", b"0=0", b"2=2", b"1=1"]

    serve(app, main)


def test_http_1_0_is_answered_and_closed(serve: Serve) -> None:
    """A stream to an HTTP/1.0 client is close-delimited."""
    app = App()

    @app.get("/")
    async def index(req: Request, res: Response) -> None:
        async with res.stream() as send:
            await send(req.http_version)

    async def main(client: TestClient) -> None:
        peer = await client.transport.dial(client.server.addresses[0])
        peer.send(b"GET / HTTP/1.0\r\n\r\n")
        answer = await peer.receive_all()
        assert answer.endswith(b"\r\n\r\n1.0")
        assert b"chunked" not in answer

    serve(app, main)
