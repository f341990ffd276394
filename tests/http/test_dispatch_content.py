"""Streams, files and uploads of a handler end with its exchange, whatever fails within."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fake_exchange import FakeExchange
from support.dispatched import ask, cancellation

from highper_http.testing.multipart import encode_multipart

__all__ = ["cancellation"]


def test_a_stream_is_sent_piece_by_piece() -> None:
    """The head leaves with the first piece; middleware may change it until then, not after."""
    late: list[type[BaseException]] = []

    async def around(req: Any, res: Any, next: Any) -> None:
        res.before_head(lambda: res.header("x-before", "1"))
        await next()
        try:
            res.header("x-late", "1")
        except Exception as error:
            late.append(type(error))

    async def handler(req: Any, res: Any) -> None:
        res.header("content-type", "text/plain")
        async with res.stream() as send:
            await send(b"a")
            await send("ä")
            await send(b"")

    exchange = ask(handler, around)
    assert (exchange.content, exchange.complete, exchange.fields[b"x-before"]) == ("aä".encode(), True, b"1")
    assert exchange.fields[b"content-type"] == b"text/plain"
    assert [error.__name__ for error in late] == ["ResponseError"]


def test_an_empty_stream_is_an_empty_answer() -> None:
    """No piece, no head before the middleware is through."""

    async def around(req: Any, res: Any, next: Any) -> None:
        await next()
        res.header("x-late", "1")

    async def handler(req: Any, res: Any) -> None:
        async with res.stream():
            pass

    exchange = ask(handler, around)
    assert (exchange.head.status_code, exchange.content, exchange.fields[b"x-late"]) == (200, b"", b"1")


def test_a_failure_inside_a_stream_aborts() -> None:
    """Once the head is out there is no other answer; before, there is."""

    async def late(req: Any, res: Any) -> None:
        async with res.stream() as send:
            await send(b"a")
            raise RuntimeError

    async def early(req: Any, res: Any) -> None:
        async with res.stream():
            raise RuntimeError

    async def swallowed(req: Any, res: Any) -> None:
        try:
            async with res.stream() as send:
                await send(b"a")
                raise RuntimeError
        except RuntimeError:
            pass

    async def afterwards(req: Any, res: Any) -> None:
        async with res.stream() as send:
            await send(b"a")
        raise RuntimeError

    exchange = ask(late)
    assert (exchange.aborted, exchange.complete, exchange.closed) == (True, False, 1)
    exchange = ask(swallowed)
    assert (exchange.aborted, exchange.complete, exchange.closed) == (True, False, 1)
    exchange = ask(early)
    assert (exchange.head.status_code, exchange.aborted, exchange.closed) == (500, False, 1)
    exchange = ask(afterwards)
    assert (exchange.content, exchange.complete, exchange.aborted, exchange.closed) == (b"a", True, False, 1)


def test_sending_outside_of_the_stream_raises() -> None:
    """A sender that outlives its block sends nothing."""
    kept: list[Any] = []

    async def handler(req: Any, res: Any) -> None:
        async with res.stream() as send:
            await send(b"a")
            kept.append(send)
        await send(b"b")

    exchange = ask(handler)
    assert (exchange.content, exchange.complete) == (b"a", True)


def test_a_file_is_sent_and_closed(tmp_path: Path) -> None:
    """Its content follows the head, for HEAD it does not, and the descriptor is given back."""
    (tmp_path / "a.txt").write_bytes(b"abc")
    files: list[Any] = []

    def inline(req: Any, res: Any) -> None:
        res.file("a.txt", root=tmp_path)
        files.append(res._file.file)

    async def handler(req: Any, res: Any) -> None:
        inline(req, res)

    for method, content in ((b"GET", b"abc"), (b"HEAD", b"")):
        for options in ({}, {"inline": True}):
            target = (
                (lambda req, res: (res.file("a.txt", root=tmp_path), files.append(res._file.file))[1])
                if options
                else handler
            )
            exchange = ask(target, exchange=FakeExchange(method), **options)
            assert (exchange.content, exchange.complete, exchange.closed) == (content, True, 1)
            assert exchange.fields[b"content-length"] == b"3"
    assert [file.closed for file in files] == [True] * 4


def test_a_file_that_was_set_is_closed_when_the_answer_becomes_another(tmp_path: Path) -> None:
    """No descriptor leaks into the error's answer."""
    (tmp_path / "a.txt").write_bytes(b"abc")
    files: list[Any] = []

    async def handler(req: Any, res: Any) -> None:
        res.file("a.txt", root=tmp_path)
        files.append(res._file.file)
        raise RuntimeError

    exchange = ask(handler)
    assert (exchange.head.status_code, files[0].closed) == (500, True)
    assert b"content-disposition" not in exchange.fields


def test_an_upload_that_cannot_be_closed_costs_no_connection(caplog: pytest.LogCaptureFixture) -> None:
    """Its exchange is closed like any, or its connection would wait for that for good."""

    class Full(BytesIO):
        tried = False

        def close(self) -> None:
            if not self.tried:  # and not again when it is collected
                self.tried = True
                raise OSError(28, "No space left on device")

    async def handler(req: Any) -> str:
        upload = (await req.form()).file("a")
        upload._file = Full()
        return "a"

    media_type, content = encode_multipart({}, {"a": ("a.txt", b"abc")})
    exchange = FakeExchange(b"POST", b"/a", [(b"content-type", media_type.encode())], [content])
    ask(handler, exchange=exchange)
    assert (exchange.content, exchange.complete, exchange.closed) == (b"a", True, 1)
    assert "No space left" in caplog.text
