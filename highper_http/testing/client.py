"""The client: requests in, answers out, over a stream in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from contextvars import copy_context
from math import inf
from types import TracebackType
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

import orjson

from highper_core import HttpConnection, Role
from highper_core.events import END_OF_MESSAGE, Data, InformationalResponse
from highper_core.events import Request as RequestHead
from highper_core.events import Response as ResponseHead
from highper_core.limits import Limits
from highper_core.permessage_deflate import DeflateSettings
from highper_transports.driver import Driver
from highper_transports.errors import StreamClosed, TransportError
from highper_transports.exchange import Exchange
from highper_transports.memory import MemoryTransport

from ..endpoint import Handler
from ..routing import Router
from ..server import Server
from ..websocket.connecting import Connecting, connect
from .answers import Answer, StreamedAnswer
from .multipart import Files, encode_multipart

__all__ = ["Fields", "Pieces", "TestClient"]

Fields: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
Pieces: TypeAlias = AsyncIterator[bytes]


class TestClient:
    """Starts an application in the running loop and talks to it.

    Args:
        app: an `App`, a `Router` or a handler.
        engine: of both sides.
        headers: fields sent with every request.
        options: as for `Server`.

    Attributes:
        server: what serves it.
        cookies: name and value of the cookies held; every Set-Cookie goes in.
    """

    __test__ = False  # pytest: this is no test case

    def __init__(
        self, app: Router | Handler | Server, *, engine: str = "auto", headers: Fields = (), **options: Any
    ) -> None:
        options.setdefault("access_log", False)
        self.server = app if isinstance(app, Server) else Server(app, engine=engine, **options)
        self.cookies: dict[str, str] = {}
        self._engine = engine
        self._headers = _pairs(headers)
        self._idle: list[Driver] = []
        self._drivers: list[Driver] = []

    async def __aenter__(self) -> TestClient:
        """Start the application up."""
        self.transport = MemoryTransport()
        await self.server.start(self.transport)
        return self

    async def __aexit__(self, *error: object) -> None:
        """Hang up, and shut the application down."""
        for driver in self._drivers:
            driver.abort()
        await self.server.finish()

    # Requests

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Fields = (),
        content: bytes | str | Pieces | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        files: Files | None = None,
    ) -> Answer:
        """Send a request and return its whole answer.

        Args:
            method: token.
            path: request-target; characters no target may hold are percent-encoded.
            headers: further fields.
            content: bytes, text, or an asynchronous iterator of bytes, which is sent chunked.
            json: content as JSON, instead.
            form: content as an urlencoded form, instead.
            files: content as a multipart form, instead, with the fields of `form` before the files: for each field
                name the file's name and its bytes, and its media type if it matters.
        """
        call = self.stream(method, path, headers=headers, content=content, json=json, form=form, files=files)
        async with call as streamed:
            return Answer(streamed, b"".join([piece async for piece in streamed]))

    def stream(
        self,
        method: str,
        path: str,
        *,
        headers: Fields = (),
        content: bytes | str | Pieces | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        files: Files | None = None,
    ) -> _Call:
        """Send a request; `async with` binds a `StreamedAnswer` once its head has come. Arguments as `request`.

        Content that is an iterator is sent while the answer is read, so a handler may answer piece by piece.
        """
        lines = [*self._headers, *_pairs(headers)]
        if json is not None:
            content = orjson.dumps(json)
            lines.append(("content-type", "application/json"))
        elif files is not None:
            content_type, content = encode_multipart(form or {}, files)
            lines.append(("content-type", content_type))
        elif form is not None:
            content = urlencode(form)
            lines.append(("content-type", "application/x-www-form-urlencoded"))
        if isinstance(content, str):
            content = content.encode()
        known = {name.lower() for name, _ in lines}
        if "host" not in known:
            lines.insert(0, ("host", "testserver"))
        self._add_cookies(lines)
        if content is not None and not known & {"content-length", "transfer-encoding"}:
            framing = ("content-length", str(len(content))) if isinstance(content, bytes) else _CHUNKED
            lines.append(framing)
        head = RequestHead(
            method=method.encode("ascii"),
            target=quote(path, safe=_TARGET_SAFE).encode("ascii"),
            headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines],
        )
        return _Call(self, head, content)

    async def get(self, path: str, **options: Any) -> Answer:
        """Send a GET. Options as `request`."""
        return await self.request("GET", path, **options)

    async def head(self, path: str, **options: Any) -> Answer:
        """Send a HEAD. Options as `request`."""
        return await self.request("HEAD", path, **options)

    async def post(self, path: str, **options: Any) -> Answer:
        """Send a POST. Options as `request`."""
        return await self.request("POST", path, **options)

    async def put(self, path: str, **options: Any) -> Answer:
        """Send a PUT. Options as `request`."""
        return await self.request("PUT", path, **options)

    async def patch(self, path: str, **options: Any) -> Answer:
        """Send a PATCH. Options as `request`."""
        return await self.request("PATCH", path, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        """Send a DELETE. Options as `request`."""
        return await self.request("DELETE", path, **options)

    async def options(self, path: str, **options: Any) -> Answer:
        """Send an OPTIONS. Options as `request`."""
        return await self.request("OPTIONS", path, **options)

    # WebSockets

    def websocket(
        self,
        path: str,
        *,
        subprotocols: Iterable[str] = (),
        headers: Fields = (),
        origin: str | None = None,
        deflate: DeflateSettings | None = None,
        limits: Limits | None = None,
    ) -> Connecting:
        """Open a WebSocket: `async with client.websocket("/ws") as socket`. Options as for `highper_http.connect`."""
        lines = [*self._headers, *_pairs(headers)]
        self._add_cookies(lines)
        connecting = connect(
            "ws://testserver" + quote(path, safe=_TARGET_SAFE),
            subprotocols=subprotocols,
            headers=lines,
            origin=origin,
            deflate=deflate,
            limits=limits,
            address=self.server.addresses[0],
            transport=self.transport,
            engine=self._engine,
        )
        connecting._answered = self._learn
        return connecting

    # Connections

    async def _open(self, head: RequestHead, content: bytes | None) -> tuple[Driver, Exchange]:
        while self._idle:
            driver = self._idle.pop()
            with suppress(StreamClosed):  # the server may have ended it meanwhile
                return driver, driver.open(head, content)
        driver = await self._connect()
        return driver, driver.open(head, content)

    async def _connect(self) -> Driver:
        opened: list[Driver] = []

        def attach(stream: Any) -> None:
            connection = HttpConnection(Role.CLIENT, engine=self._engine, limits=_PATIENT)
            opened.append(Driver(stream, connection))

        await self.transport.connect(self.server.addresses[0], attach)
        self._drivers.append(opened[0])
        return opened[0]

    def _add_cookies(self, lines: list[tuple[str, str]]) -> None:
        """Send what is held, unless the caller says otherwise."""
        if self.cookies and all(name.lower() != "cookie" for name, _ in lines):
            lines.append(("cookie", "; ".join([f"{name}={value}" for name, value in self.cookies.items()])))

    def _learn(self, head: ResponseHead | InformationalResponse) -> None:
        for line in head.headers.all(b"set-cookie"):
            pair, _, attributes = line.decode("latin-1").partition(";")
            name, _, value = pair.partition("=")
            if "max-age=0" in attributes.replace(" ", "").lower():
                self.cookies.pop(name.strip(), None)
            else:
                self.cookies[name.strip()] = value.strip()


class _Call:
    """One exchange of a client."""

    def __init__(self, client: TestClient, head: RequestHead, content: bytes | Pieces | None) -> None:
        self._client = client
        self._head = head
        self._content = content
        self._sender: Any = None  # the task that sends an iterator's pieces
        self._failure: Exception | None = None  # what the iterator raised

    async def __aenter__(self) -> StreamedAnswer:
        content = self._content if self._content is not None else b""
        whole = content if isinstance(content, bytes) else None
        self._used, exchange = await self._client._open(self._head, whole)
        self._exchange = exchange
        if not isinstance(content, bytes):
            self._sender = self._client.transport.spawn(self._send(content), copy_context())
        try:
            while not isinstance(event := await exchange.receive(), ResponseHead):
                pass
        except BaseException as error:
            self._end(complete=False)
            raise self._failure or error from None
        self._client._learn(event)
        self._streamed = StreamedAnswer(exchange, event)
        return self._streamed

    async def _send(self, content: Pieces) -> None:
        try:
            async for piece in content:
                self._exchange.send(Data(piece))
                await self._exchange.drain()
            self._exchange.send(END_OF_MESSAGE)
        except TransportError:
            pass  # it may be answered before it was read
        except Exception as error:
            self._failure = error
            self._exchange.abort()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(complete=self._streamed.trailers is not None)
        if self._failure is not None:
            raise self._failure

    def _end(self, *, complete: bool) -> None:
        if self._sender is not None and not self._sender.done():  # answered, and nobody reads the rest
            self._sender.cancel()
            complete = False
        if not complete:
            self._exchange.abort()
        self._exchange.close()
        if complete:
            self._client._idle.append(self._used)


# a test waits as long as its handlers like
_PATIENT = Limits(content_timeout=inf, content_rate=0, idle_timeout=inf, head_timeout=inf)
_CHUNKED = ("transfer-encoding", "chunked")
_TARGET_SAFE = "!$%&'()*+,/:;=?@~"


def _pairs(headers: Fields) -> list[tuple[str, str]]:
    return list(headers.items() if isinstance(headers, Mapping) else headers)
