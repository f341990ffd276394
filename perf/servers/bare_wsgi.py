"""Bare WSGI: plain functions, called one after the other. `app` answers one workload only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import given
import orjson

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

_HELLO = given.HELLO.encode()
_PLAIN_FIELDS = [("content-length", str(len(_HELLO))), ("content-type", given.TEXT)]
_LARGE_FIELDS = [("content-length", str(len(given.LARGE))), ("content-type", given.OCTETS)]


def plain(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", _PLAIN_FIELDS)
    return [_HELLO]


def download(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", _LARGE_FIELDS)
    return [given.LARGE]


def upload(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    answer = b"%d" % len(environ["wsgi.input"].read())
    start_response("200 OK", [("content-length", str(len(answer))), ("content-type", given.TEXT)])
    return [answer]


def user(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if not path.startswith("/users/"):
        raise LookupError(path)
    answer = orjson.dumps({"user_id": path[7:]})
    start_response("200 OK", [("content-length", str(len(answer))), ("content-type", given.JSON)])
    return [answer]


def adding(field: tuple[str, str], inner: Application) -> Application:
    """Return `inner` within a middleware that adds a field to its answers."""

    def middleware(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, fields: list[tuple[str, str]]) -> Any:
            fields.append(field)
            return start_response(status, fields)

        return inner(environ, start)

    return middleware


app: Application = {"json": user, "download": download, "upload": upload}.get(given.WORKLOAD, plain)
if given.WORKLOAD == "json":
    for _field in reversed(given.FIELDS):
        app = adding(_field, app)
