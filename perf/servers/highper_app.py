"""The workloads on Highper: App, Router, `async def` handlers, access log off.

Usage: highper_app.py TRANSPORT [inline | embedded]
    inline    plain functions, run in place
    embedded  in a running uvloop, which somebody else might have started
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import given

from highper_http import App, Request, Response

app = App()

if given.WORKLOAD == "json":

    @app.use
    async def first(request: Request, response: Response, next: Callable[[], Awaitable[None]]) -> None:
        response.header("x-first", "1")
        await next()

    @app.use
    async def second(request: Request, response: Response, next: Callable[[], Awaitable[None]]) -> None:
        response.header("x-second", "2")
        await next()

    @app.use
    async def third(request: Request, response: Response, next: Callable[[], Awaitable[None]]) -> None:
        response.header("x-third", "3")
        await next()


if "inline" in sys.argv:

    @app.get("/", inline=True)
    def plain_inline(request: Request) -> str:
        return "Hello, World!"

else:

    @app.get("/")
    async def plain(request: Request) -> str:
        return "Hello, World!"


@app.get("/users/:id")
async def user(request: Request, response: Response) -> None:
    response.json({"user_id": request.param("id")})


@app.get("/download")
async def download(request: Request) -> bytes:
    return given.LARGE


@app.post("/upload")
async def upload(request: Request) -> str:
    return str(len(await request.body()))


def main(transport: str, embedded: bool) -> None:
    options: dict[str, Any] = {"host": "127.0.0.1", "port": given.PORT, "transport": transport, "access_log": False}
    if given.CERTIFICATE is not None and given.KEY is not None:
        import ssl

        options["ssl"] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        options["ssl"].load_cert_chain(given.CERTIFICATE, given.KEY)
    if embedded:
        import uvloop

        uvloop.run(app.serve(**options))
    else:
        app.listen(**options)


if __name__ == "__main__":
    main(sys.argv[1], "embedded" in sys.argv)
