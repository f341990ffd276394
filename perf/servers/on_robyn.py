"""robyn with one process and one worker; no `const` routes, which are answered without entering Python."""

from __future__ import annotations

from typing import Any

import given
import orjson
from robyn import Headers, Request, Response, Robyn

app = Robyn(__file__)


def _answer(body: str | bytes, content_type: str) -> Response:
    return Response(status_code=200, headers=Headers({"content-type": content_type}), description=body)


@app.get("/")
async def plain(request: Request) -> Response:
    return _answer(given.HELLO, given.TEXT)


@app.get("/users/:id")
async def user(request: Request) -> Response:
    return _answer(orjson.dumps({"user_id": request.path_params["id"]}), given.JSON)


@app.get("/download")
async def download(request: Request) -> Response:
    return _answer(given.LARGE, given.OCTETS)


@app.post("/upload")
async def upload(request: Request) -> Response:
    return _answer(str(len(request.body)), given.TEXT)


def _adding(name: str, value: str) -> Any:
    async def middleware(response: Response) -> Response:
        response.headers.set(name, value)
        return response

    return middleware


if given.WORKLOAD == "json":
    for _field in given.FIELDS:
        app.after_request()(_adding(*_field))

if __name__ == "__main__":
    app.start(host="127.0.0.1", port=given.PORT, _check_port=False)
