"""BlackSheep, to be served by an ASGI server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import given
import orjson
from blacksheep import Application, Content, Request, Response

app = Application(show_error_details=False)


@app.router.get("/")
async def plain(request: Request) -> Response:
    return Response(200, None, Content(b"text/plain; charset=utf-8", b"Hello, World!"))


@app.router.get("/users/{id}")
async def user(request: Request) -> Response:
    identifier = request.route_values["id"]
    return Response(200, None, Content(b"application/json", orjson.dumps({"user_id": identifier})))


@app.router.get("/download")
async def download(request: Request) -> Response:
    return Response(200, None, Content(b"application/octet-stream", given.LARGE))


@app.router.post("/upload")
async def upload(request: Request) -> Response:
    body = await request.read() or b""
    return Response(200, None, Content(b"text/plain; charset=utf-8", b"%d" % len(body)))


def _adding(name: str, value: str) -> Callable[..., Awaitable[Response]]:
    field = (name.encode(), value.encode())

    async def middleware(request: Request, handler: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await handler(request)
        response.add_header(*field)
        return response

    return middleware


if given.WORKLOAD == "json":
    for _field in given.FIELDS:
        app.middlewares.append(_adding(*_field))
