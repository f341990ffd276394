"""sanic in one process, access log off."""

from __future__ import annotations

from typing import Any

import given
import orjson
from sanic import Request, Sanic
from sanic.response import HTTPResponse, raw, text

app = Sanic("comparison", configure_logging=False, dumps=orjson.dumps)
app.config.ACCESS_LOG = False
app.config.KEEP_ALIVE_TIMEOUT = 75
app.config.AUTO_EXTEND = False
app.config.TOUCHUP = True


@app.get("/")
async def plain(request: Request) -> HTTPResponse:
    return text(given.HELLO)


@app.get("/users/<id:str>")
async def user(request: Request, id: str) -> HTTPResponse:
    return raw(orjson.dumps({"user_id": id}), content_type=given.JSON)


@app.get("/download")
async def download(request: Request) -> HTTPResponse:
    return raw(given.LARGE, content_type=given.OCTETS)


@app.post("/upload")
async def upload(request: Request) -> HTTPResponse:
    return text(str(len(request.body)))


def _adding(name: str, value: str) -> Any:
    async def middleware(request: Request, response: HTTPResponse) -> None:
        response.headers[name] = value

    return middleware


if given.WORKLOAD == "json":
    for _field in given.FIELDS:
        app.register_middleware(_adding(*_field), "response")

if __name__ == "__main__":
    tls = {"cert": given.CERTIFICATE, "key": given.KEY} if given.CERTIFICATE else None
    app.run(
        host="127.0.0.1",
        port=given.PORT,
        single_process=True,
        access_log=False,
        motd=False,
        debug=False,
        ssl=tls,
        backlog=1024,
    )
