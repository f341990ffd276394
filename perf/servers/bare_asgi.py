"""Bare ASGI, no framework: the least an application on an ASGI server can be. `app` answers one workload only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import given
import orjson

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


def _head(length: int, content_type: str) -> Message:
    fields = [(b"content-length", b"%d" % length), (b"content-type", content_type.encode())]
    return {"type": "http.response.start", "status": 200, "headers": fields}


_HELLO = given.HELLO.encode()
_PLAIN_FIELDS = [(b"content-length", b"%d" % len(_HELLO)), (b"content-type", given.TEXT.encode())]
_LARGE_FIELDS = [(b"content-length", b"%d" % len(given.LARGE)), (b"content-type", given.OCTETS.encode())]


async def plain(scope: Message, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _PLAIN_FIELDS})
    await send({"type": "http.response.body", "body": _HELLO})


async def download(scope: Message, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _LARGE_FIELDS})
    await send({"type": "http.response.body", "body": given.LARGE})


async def upload(scope: Message, receive: Receive, send: Send) -> None:
    pieces, more = [], True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    answer = b"%d" % len(b"".join(pieces))
    await send(_head(len(answer), given.TEXT))
    await send({"type": "http.response.body", "body": answer})


async def user(scope: Message, receive: Receive, send: Send) -> None:
    path = scope["path"]
    if not path.startswith("/users/"):
        raise LookupError(path)
    answer = orjson.dumps({"user_id": path[7:]})
    await send(_head(len(answer), given.JSON))
    await send({"type": "http.response.body", "body": answer})


def adding(name: str, value: str, inner: Application) -> Application:
    """Return `inner` within a middleware that adds a field to its answers."""
    field = (name.encode(), value.encode())

    async def middleware(scope: Message, receive: Receive, send: Send) -> None:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append(field)
            await send(message)

        await inner(scope, receive, add)

    return middleware


app: Application = {"json": user, "download": download, "upload": upload}.get(given.WORKLOAD, plain)
if given.WORKLOAD == "json":
    for _name, _value in reversed(given.FIELDS):
        app = adding(_name, _value, app)
