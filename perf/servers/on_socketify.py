"""socketify's own interface with plain functions, its fastest; uploads, which arrive in pieces, by callback."""

from __future__ import annotations

from typing import Any

import given
import orjson
from socketify import App, AppListenOptions, AppOptions, middleware

options = AppOptions(key_file_name=given.KEY, cert_file_name=given.CERTIFICATE) if given.CERTIFICATE else None
FACTORY = 0 if given.WORKLOAD == "upload" else 200_000  # its pooled responses lose content
app = App(options, request_response_factory_max_items=FACTORY)


def plain(response: Any, request: Any) -> None:
    response.write_header("content-type", given.TEXT)
    response.end(given.HELLO)


def user(response: Any, request: Any, data: Any = None) -> None:
    response.write_header("content-type", given.JSON)
    response.end(orjson.dumps({"user_id": request.get_parameter(0)}))


def _adding(name: str, value: str) -> Any:
    def layer(response: Any, request: Any, data: Any = None) -> bool:
        response.write_header(name, value)
        return True

    return layer


def download(response: Any, request: Any) -> None:
    response.write_header("content-type", given.OCTETS)
    response.end(given.LARGE)


_held: set[Any] = set()  # nobody else keeps a response that is still receiving from being collected


def upload(response: Any, request: Any) -> None:
    pieces: list[bytes] = []
    _held.add(response)

    def take(response: Any, piece: bytes | None, is_end: bool) -> None:
        if piece:
            pieces.append(piece)
        if is_end:
            _held.discard(response)
            response.write_header("content-type", given.TEXT)
            response.end(str(len(b"".join(pieces))))

    response.on_aborted(_held.discard)
    response.on_data(take)


app.get("/", plain)
app.get("/users/:id", middleware(*(_adding(*field) for field in given.FIELDS), user))
app.get("/download", download)
app.post("/upload", upload)

if __name__ == "__main__":
    app.listen(AppListenOptions(port=given.PORT, host="127.0.0.1"), lambda config: None)
    app.run()
