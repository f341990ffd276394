"""aiohttp on uvloop, access log off."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import given
import orjson
import uvloop
from aiohttp import web


async def plain(request: web.Request) -> web.Response:
    return web.Response(text=given.HELLO)


async def user(request: web.Request) -> web.Response:
    return web.Response(body=orjson.dumps({"user_id": request.match_info["id"]}), content_type=given.JSON)


async def download(request: web.Request) -> web.Response:
    return web.Response(body=given.LARGE, content_type=given.OCTETS)


async def upload(request: web.Request) -> web.Response:
    return web.Response(text=str(len(await request.read())))


def _adding(name: str, value: str) -> Any:
    @web.middleware
    async def middleware(request: web.Request, handler: Any) -> web.StreamResponse:
        response: web.StreamResponse = await handler(request)
        response.headers[name] = value
        return response

    return middleware


async def main() -> None:
    layers = [_adding(*field) for field in given.FIELDS] if given.WORKLOAD == "json" else []
    app = web.Application(middlewares=layers, client_max_size=16 << 20)
    app.router.add_get("/", plain)
    app.router.add_get("/users/{id}", user)
    app.router.add_get("/download", download)
    app.router.add_post("/upload", upload)
    context = None
    if given.CERTIFICATE and given.KEY:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(given.CERTIFICATE, given.KEY)
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=75)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", given.PORT, ssl_context=context, backlog=1024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
