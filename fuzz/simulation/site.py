"""The application that is simulated. Every request carries a token, and every answer must be that token's.

A handler leaves the token in its locals and in a contextvar, lets others run, and looks again: whoever sees another's
token has found a record or a context that two requests share.
"""

from __future__ import annotations

import asyncio
import zlib
from contextvars import ContextVar
from typing import Any

from highper_http import App, HTTPError, Router

from .ledger import Ledger

__all__ = ["PIECE", "application", "check_held", "expected"]

PIECE = 997
_token: ContextVar[str] = ContextVar("_token", default="")


def expected(kind: str, token: str, content: bytes, size: int) -> tuple[int, bytes]:
    """Return status and content of the answer to a request."""
    match kind:
        case "echo":
            return 200, f"{token} {len(content)} {zlib.crc32(content)}".encode()
        case "drip":
            return 200, drops(token, size)
        case "raise":
            return 418, b""
        case _:
            return 200, token.encode()


def drops(token: str, size: int) -> bytes:
    """Return `size` pieces that tell whose they are."""
    return (token.encode() + b";").ljust(PIECE, b".") * size


def application(ledger: Ledger, held: list[tuple[Any, str]], running: dict[str, asyncio.Event]) -> App:
    """Return the application; `held` gets requests that are kept beyond their end, `running` tells who waits inside."""
    app = App()

    def enter(req: Any) -> str:
        token: str = req.param("token")
        ledger.begun[token] += 1
        if _token.get():
            ledger.violated(token, "a context is shared", _token.get())
        if len(req.locals):
            ledger.violated(token, "locals are shared", req.locals.get("token"))
        _token.set(token)
        req.locals.token = token
        if (event := running.get(token)) is not None:
            event.set()
        return token

    def leave(req: Any, token: str) -> str:
        if not (_token.get() == token == req.locals.token == req.param("token")):
            ledger.violated(token, "a record changed hands", (_token.get(), req.locals.get("token")))
        return token

    inner = Router()

    @inner.use
    async def around(req: Any, res: Any, next: Any) -> None:
        token = req.path.rpartition("/")[2]
        await next()
        if req.locals.get("token", token) != token:
            ledger.violated(token, "a record changed hands around its handler", req.locals.get("token"))

    @app.get("/inline/:token", inline=True)
    def inline(req: Any) -> str:
        return leave(req, enter(req))

    @inner.get("/now/:token")
    async def now(req: Any) -> str:
        return leave(req, enter(req))

    @app.get("/sleep/:token")
    async def sleep(req: Any) -> str:
        token = enter(req)
        await asyncio.sleep(float(req.query("for")))
        return leave(req, token)

    @inner.post("/echo/:token")
    async def echo(req: Any) -> str:
        token = enter(req)
        content = await req.body()
        return f"{leave(req, token)} {len(content)} {zlib.crc32(content)}"

    @inner.get("/drip/:token")
    async def drip(req: Any, res: Any) -> None:
        token = enter(req)
        piece = drops(token, 1)
        async with res.stream() as send:
            for number in range(int(req.query("size"))):
                await send(piece)
                if number % 16 == 7:
                    await asyncio.sleep(0.01)
        leave(req, token)

    @app.post("/unread/:token")
    async def unread(req: Any) -> str:
        token = enter(req)
        await asyncio.sleep(0)
        return leave(req, token)

    @inner.get("/hold/:token")
    async def hold(req: Any, res: Any) -> None:
        token = enter(req)
        held.append((req, token))
        await asyncio.sleep(0.001)
        res.text(leave(req, token))

    @app.get("/raise/:token")
    async def fail(req: Any) -> str:
        token = enter(req)
        await asyncio.sleep(0)
        raise HTTPError(418, leave(req, token))

    app.use(inner)
    return app


def check_held(ledger: Ledger, held: list[tuple[Any, str]]) -> None:
    """A request that somebody kept still tells what it was, and nothing of another."""
    for req, token in held:
        try:
            path = req.path
        except Exception as error:
            path = repr(error)
        if path.rpartition("/")[2] != token:
            ledger.violated(token, "a held request was reused", path)
    held.clear()
