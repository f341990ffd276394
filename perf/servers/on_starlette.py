"""Starlette. Middleware is pure ASGI, the fastest of its documented kinds."""

from __future__ import annotations

import bare_asgi
import given
import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


async def plain(request: Request) -> Response:
    return PlainTextResponse(given.HELLO)


async def user(request: Request) -> Response:
    return Response(orjson.dumps({"user_id": request.path_params["id"]}), media_type=given.JSON)


async def download(request: Request) -> Response:
    return Response(given.LARGE, media_type=given.OCTETS)


async def upload(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


def _adding(app: bare_asgi.Application, name: str, value: str) -> bare_asgi.Application:
    return bare_asgi.adding(name, value, app)


app = Starlette(
    routes=[
        Route("/", plain),
        Route("/users/{id}", user),
        Route("/download", download),
        Route("/upload", upload, methods=["POST"]),
    ],
    middleware=[Middleware(_adding, *field) for field in given.FIELDS] if given.WORKLOAD == "json" else [],
)
