"""Falcon's ASGI side, with orjson as its documentation proposes."""

from __future__ import annotations

from typing import Any

import given
import orjson
from falcon import media
from falcon.asgi import App, Request, Response


class Plain:
    async def on_get(self, request: Request, response: Response) -> None:
        response.content_type = given.TEXT
        response.text = given.HELLO


class User:
    async def on_get(self, request: Request, response: Response, id: str) -> None:
        response.media = {"user_id": id}


class Download:
    async def on_get(self, request: Request, response: Response) -> None:
        response.content_type = given.OCTETS
        response.data = given.LARGE


class Upload:
    async def on_post(self, request: Request, response: Response) -> None:
        response.content_type = given.TEXT
        response.text = str(len(await request.stream.read()))


class Adding:
    """Middleware that adds a field to every answer."""

    def __init__(self, name: str, value: str) -> None:
        self.field = (name, value)

    async def process_response(self, request: Request, response: Response, resource: Any, succeeded: bool) -> None:
        response.set_header(*self.field)


app = App(middleware=[Adding(*field) for field in given.FIELDS] if given.WORKLOAD == "json" else None)
app.resp_options.media_handlers["application/json"] = media.JSONHandler(dumps=orjson.dumps, loads=orjson.loads)
app.add_route("/", Plain())
app.add_route("/users/{id}", User())
app.add_route("/download", Download())
app.add_route("/upload", Upload())
