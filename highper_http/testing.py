"""A client inside the process, for tests: real requests over the memory transport, no socket, no port.

    async with TestClient(app) as client:
        answer = await client.get("/users/7")
        assert answer.status == 200 and answer.json() == {"user_id": "7"}

    async with client.stream("GET", "/count") as answer:
        async for piece in answer: ...

The application is started up and shut down with the client, and every byte passes engine, driver and stream as on a
socket. In the loop that `run` makes, time is virtual: a handler that sleeps an hour answers at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from types import TracebackType
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

import orjson

from highper_core import HttpConnection, Role
from highper_core.events import END_OF_MESSAGE, Data, EndOfMessage
from highper_core.events import Request as RequestHead
from highper_core.events import Response as ResponseHead
from highper_transports.driver import Driver
from highper_transports.errors import TransportError
from highper_transports.exchange import Exchange
from highper_transports.memory import MemoryTransport

from .endpoint import Handler
from .headers import Headers
from .routing import Router
from .server import Server

__all__ = ["Answer", "StreamedAnswer", "TestClient", "run"]

Fields: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
Pieces: TypeAlias = AsyncIterator[bytes]


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run the coroutine function `main` in a fresh loop whose clock is virtual, and return its result. Blocking."""

    async def start(transport: MemoryTransport) -> Any:
        return await main()

    return MemoryTransport.run(start)


class StreamedAnswer:
    """An answer whose content arrives as it is iterated.

    Attributes:
        status: status code.
        headers: fields, as text.
        http_version: '1.1' or '1.0'.
    """

    def __init__(self, exchange: Exchange, head: ResponseHead) -> None:
        self.status = head.status_code
        self.headers = Headers(head.headers)
        self.http_version = head.http_version.decode("ascii")
        self._exchange = exchange
        self.trailers: Headers | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.trailers is None:
            event = await self._exchange.receive()
            if isinstance(event, EndOfMessage):
                self.trailers = Headers(event.headers)
            elif isinstance(event, Data):
                yield bytes(event.data)


class Answer:
    """A whole answer.

    Attributes:
        status: status code.
        headers: fields, as text.
        content: bytes of content.
    """

    def __init__(self, streamed: StreamedAnswer, content: bytes) -> None:
        self.status = streamed.status
        self.headers = streamed.headers
        self.trailers = streamed.trailers
        self.http_version = streamed.http_version
        self.content = content

    @property
    def text(self) -> str:
        """Content as UTF-8 text."""
        return self.content.decode()

    def json(self) -> Any:
        """Return the content read as JSON."""
        return orjson.loads(self.content)

    def header(self, name: str) -> str | None:
        """Return a field's value, or None."""
        return self.headers.get(name)

    def __repr__(self) -> str:
        return f"<Answer {self.status} {self.content[:60]!r}>"


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
        self._transport = MemoryTransport()
        await self.server.start(self._transport)
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
    ) -> Answer:
        """Send a request and return its whole answer.

        Args:
            method: token.
            path: request-target; characters no target may hold are percent-encoded.
            headers: further fields.
            content: bytes, text, or an asynchronous iterator of bytes, which is sent chunked.
            json: content as JSON, instead.
            form: content as an urlencoded form, instead.
        """
        async with self.stream(method, path, headers=headers, content=content, json=json, form=form) as streamed:
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
    ) -> _Call:
        """Send a request; `async with` binds a `StreamedAnswer` once its head has come. Arguments as `request`."""
        lines = [*self._headers, *_pairs(headers)]
        if json is not None:
            content = orjson.dumps(json)
            lines.append(("content-type", "application/json"))
        elif form is not None:
            content = urlencode(form)
            lines.append(("content-type", "application/x-www-form-urlencoded"))
        if isinstance(content, str):
            content = content.encode()
        known = {name.lower() for name, _ in lines}
        if "host" not in known:
            lines.insert(0, ("host", "testserver"))
        if self.cookies and "cookie" not in known:
            lines.append(("cookie", "; ".join([f"{name}={value}" for name, value in self.cookies.items()])))
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

    # Connections

    async def _driver(self) -> Driver:
        while self._idle:
            driver = self._idle.pop()
            if driver.connection.is_resting and not driver.stream.closing:
                return driver
        opened: list[Driver] = []

        def attach(stream: Any) -> None:
            connection = HttpConnection(Role.CLIENT, engine=self._engine)
            opened.append(Driver(stream, connection))

        await self._transport.connect(self.server.addresses[0], attach)
        self._drivers.append(opened[0])
        return opened[0]

    def _learn(self, head: ResponseHead) -> None:
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

    async def __aenter__(self) -> StreamedAnswer:
        driver = self._used = await self._client._driver()
        content = self._content
        if content is None or isinstance(content, bytes):
            exchange = self._exchange = driver.open(self._head, content or b"")
        else:
            exchange = self._exchange = driver.open(self._head)
            try:
                async for piece in content:
                    exchange.send(Data(piece))
                    await exchange.drain()
                exchange.send(END_OF_MESSAGE)
            except TransportError:  # it may have been answered before it was read
                pass
        while True:
            event = await exchange.receive()
            if isinstance(event, ResponseHead):
                self._client._learn(event)
                self._streamed = StreamedAnswer(exchange, event)
                return self._streamed

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        complete = self._streamed.trailers is not None
        if not complete:
            self._exchange.abort()
        self._exchange.close()
        if complete:
            self._client._idle.append(self._used)


_CHUNKED = ("transfer-encoding", "chunked")
_TARGET_SAFE = "!$%&'()*+,/:;=?@~"


def _pairs(headers: Fields) -> list[tuple[str, str]]:
    return list(headers.items() if isinstance(headers, Mapping) else headers)
