"""Bare RSGI, granian's own and fastest interface. `app` answers one workload only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import given
import orjson

Application = Callable[[Any, Any], Awaitable[None]]

_TEXT = [("content-type", given.TEXT)]
_OCTETS = [("content-type", given.OCTETS)]


async def plain(scope: Any, protocol: Any) -> None:
    protocol.response_str(200, _TEXT, given.HELLO)


async def download(scope: Any, protocol: Any) -> None:
    protocol.response_bytes(200, _OCTETS, given.LARGE)


async def upload(scope: Any, protocol: Any) -> None:
    protocol.response_str(200, _TEXT, str(len(await protocol())))


class Adding:
    """A protocol that adds a field to the answer that goes through it."""

    __slots__ = ("_field", "_inner")

    def __init__(self, field: tuple[str, str], inner: Any) -> None:
        self._field = field
        self._inner = inner

    def response_bytes(self, status: int, fields: list[tuple[str, str]], body: bytes) -> None:
        fields.append(self._field)
        self._inner.response_bytes(status, fields, body)


async def user(scope: Any, protocol: Any) -> None:
    path = scope.path
    if not path.startswith("/users/"):
        raise LookupError(path)
    protocol.response_bytes(200, [("content-type", given.JSON)], orjson.dumps({"user_id": path[7:]}))


def adding(field: tuple[str, str], inner: Application) -> Application:
    """Return `inner` within a middleware that adds a field to its answers."""

    async def middleware(scope: Any, protocol: Any) -> None:
        await inner(scope, Adding(field, protocol))

    return middleware


app: Application = {"json": user, "download": download, "upload": upload}.get(given.WORKLOAD, plain)
if given.WORKLOAD == "json":
    for _field in reversed(given.FIELDS):
        app = adding(_field, app)
