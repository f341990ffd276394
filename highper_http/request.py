# cython: annotation_typing=False
"""The request as an application sees it: a read-only view that decodes what is asked for, when it is asked.

A `Request` is made (or taken from its pool) with the head the engine parsed and nothing else; path, query, fields and
content are worked out at first use. Once its exchange is over a request that somebody kept still tells its head, and
refuses to be read from.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote_to_bytes

from highper_core.context import Part
from highper_core.limits import Limits

from .body import ContentReader, read_content
from .content import read_json, read_msgpack, read_text
from .cookies import parse_cookies
from .errors import ContentTooLarge
from .forms import FormData, FormLimits, parse_form
from .headers import Headers
from .query import parse_query

if TYPE_CHECKING:
    from highper_core.context import RequestContext
    from highper_core.events import Request as RequestHead
    from highper_transports.exchange import Exchange

    from .forwarded import Forwarding, Origin
    from .routing import Route

__all__ = ["Request"]

Address: TypeAlias = "tuple[str, int] | str | None"

_SCHEME = re.compile(rb"\A[^:/?]*://")
_AUTHORITY_END = re.compile(rb"[/?]")


class Request(Part):
    """One request. Read-only.

    Args:
        limits: bounds of what it buffers, unless its route has its own.
        forwarding: proxies that are believed about where it comes from; None for nobody.
    """

    __slots__ = (
        "_content",
        "_context",
        "_cookies",
        "_exchange",
        "_form",
        "_forwarding",
        "_head",
        "_headers",
        "_limits",
        "_origin",
        "_path",
        "_query",
        "_raw_path",
        "_raw_query",
        "_route",
        "_started",
        "_streaming",
        "_values",
    )

    def __init__(self, limits: Limits, forwarding: Forwarding | None = None) -> None:
        self._limits = limits
        self._forwarding = forwarding
        self._origin: Origin | None = None
        self._context: RequestContext | None = None
        self._exchange: Exchange | None = None
        self._form: FormData | None = None
        self._head: RequestHead | None = None
        self._route: Route | None = None
        self._values: tuple[Any, ...] = ()
        self._content: bytes | None = None
        self._streaming = False
        self._cookies: dict[str, str] | None = None
        self._headers: Headers | None = None
        self._path: str | None = None
        self._query: list[tuple[str, str]] | None = None
        self._raw_path: bytes | None = None
        self._raw_query: bytes | None = None
        self._started = 0.0

    def _begin(
        self, context: RequestContext, exchange: Exchange, head: RequestHead, route: Route, values: tuple[Any, ...]
    ) -> None:
        """Stand for the request whose `head` an exchange has just brought."""
        self._context = context
        self._exchange = exchange
        self._head = head
        self._route = route
        self._values = values

    def _reset(self) -> None:
        """Forget everything but the settings; for a pool."""
        self._origin = None
        self._context = None
        self._exchange = None
        self._form = None
        self._head = None
        self._route = None
        self._values = ()
        self._content = None
        self._streaming = False
        self._cookies = None
        self._headers = None
        self._path = None
        self._query = None
        self._raw_path = None
        self._raw_query = None
        self._started = 0.0

    def _detach(self) -> None:
        """Let go of the exchange, which is over. The head can still be read."""
        self._exchange = None
        if self._form is not None:
            self._form.close()

    # Head

    @property
    def method(self) -> str:
        """Method, case kept."""
        assert self._head is not None
        return self._head.method.decode("ascii")

    @property
    def target(self) -> bytes:
        """Request-target as received."""
        assert self._head is not None
        return self._head.target

    @property
    def http_version(self) -> str:
        """'1.1' or '1.0'."""
        assert self._head is not None
        return self._head.http_version.decode("ascii")

    @property
    def raw_path(self) -> bytes:
        """Path as received: percent-encoded, without the query. Source: RFC 9112 section 3.2."""
        if self._raw_path is None:
            self._split()
        assert self._raw_path is not None
        return self._raw_path

    @property
    def raw_query(self) -> bytes:
        """Query as received, without the question mark."""
        if self._raw_query is None:
            self._split()
        assert self._raw_query is not None
        return self._raw_query

    @property
    def path(self) -> str:
        """Path, percent-decoded; bytes that are not UTF-8 become U+FFFD."""
        if self._path is None:
            raw = self.raw_path
            self._path = (unquote_to_bytes(raw) if b"%" in raw else raw).decode("utf-8", "replace")
        return self._path

    def _split(self) -> None:
        target = self.target
        if not target.startswith(b"/") and b"://" in target:  # absolute-form
            rest = target.partition(b"://")[2]
            cut = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
            target = rest[cut:]
            if not target.startswith(b"/"):
                target = b"/" + target
        self._raw_path, _, self._raw_query = target.partition(b"?")

    # Query

    @property
    def query_pairs(self) -> list[tuple[str, str]]:
        """All parameters of the query, in order. The list is shared: do not change it."""
        if self._query is None:
            self._query = parse_query(self.raw_query)
        return self._query

    def query(self, name: str, default: str | None = None) -> str | None:
        """Return the first query parameter called `name`, or `default`."""
        for key, value in self.query_pairs:
            if key == name:
                return value
        return default

    def query_all(self, name: str) -> list[str]:
        """Return every query parameter called `name`, in order."""
        return [value for key, value in self.query_pairs if key == name]

    # Route

    def param(self, name: str) -> Any:
        """Return the path parameter called `name`, converted when its pattern is typed.

        Raises:
            KeyError: the route has no such parameter.
        """
        names = self.route.names
        for index in range(len(names)):
            if names[index] == name:
                return self._values[index]
        raise KeyError(f"route {self.route.path} has no parameter {name!r}")

    @property
    def params(self) -> dict[str, Any]:
        """All path parameters."""
        return dict(zip(self.route.names, self._values, strict=True))

    @property
    def route(self) -> Route:
        """The route that answers."""
        assert self._route is not None
        return self._route

    # Fields

    def header(self, name: str, default: str | None = None) -> str | None:
        """Return the value of field `name`, several lines joined as RFC 9110 section 5.3 tells, or `default`."""
        return self.headers.get(name, default)

    @property
    def headers(self) -> Headers:
        """All fields, as text."""
        if self._headers is None:
            assert self._head is not None
            self._headers = Headers(self._head.headers)
        return self._headers

    def cookie(self, name: str, default: str | None = None) -> str | None:
        """Return the cookie called `name`, or `default`."""
        return self.cookies.get(name, default)

    @property
    def cookies(self) -> dict[str, str]:
        """All cookies. The dictionary is shared: do not change it."""
        if self._cookies is None:
            self._cookies = parse_cookies(self.headers.all("cookie"))
        return self._cookies

    # Connection

    @property
    def client(self) -> Address:
        """Address of the client: (host, port), a path, or None where it is not known.

        The stream's peer, unless trusted proxies stand between; a port that they do not tell is 0.
        """
        if self._forwarding is None:
            return self._open().stream.peer  # type: ignore[no-any-return]
        return self._come_from().client

    @property
    def server(self) -> Address:
        """Address the request came in at: (host, port), a path, or None."""
        return self._open().stream.local  # type: ignore[no-any-return]

    @property
    def scheme(self) -> str:
        """'http' or 'https': what the client speaks, as far as trusted proxies tell."""
        if self._forwarding is None:
            return self._open().stream.scheme
        return self._come_from().scheme

    @property
    def host(self) -> str:
        """Host the client asked for, and the port if it named one; empty where HTTP/1.0 leaves it out.

        Of the request-target, else of the Host field (RFC 9110 section 7.2), unless trusted proxies tell another.
        """
        target = self.target
        if target.startswith(b"/") or target == b"*":
            own = self.header("host") or ""
        else:  # absolute-form, or authority-form
            own = _AUTHORITY_END.split(_SCHEME.sub(b"", target, 1), 1)[0].decode()
        return own if self._forwarding is None else self._come_from().authority(own)

    def _come_from(self) -> Origin:
        if self._origin is None:
            assert self._forwarding is not None
            assert self._head is not None
            self._origin = self._forwarding.origin(self._open().stream, self._head.headers)
        return self._origin

    @property
    def context(self) -> RequestContext:
        """The record of this request."""
        if self._context is None:
            raise RuntimeError("this request is over")
        return self._context

    @property
    def locals(self) -> Any:
        """What middleware and handlers of this request leave for each other."""
        return self.context.locals

    def _open(self) -> Exchange:
        if self._exchange is None:
            raise RuntimeError("this request is over")
        return self._exchange

    # Content

    async def body(self) -> bytes:
        """Return the whole content; asked again, the same.

        Raises:
            ContentTooLarge: more than the route takes (`Limits.buffered_content` by default).
        """
        if self._content is None:
            exchange = self._start_reading()
            assert self._head is not None
            self._content = await read_content(exchange, self._head.content_length, self._content_limit())
        return self._content

    def stream(self) -> ContentReader:
        """Return the content as an asynchronous iterator of bytes, as it arrives.

        Raises:
            ContentTooLarge: more was announced than the route takes; or, from the iterator, came.
            RuntimeError: the content has been read already.
        """
        exchange = self._start_reading()
        limit = self._route.max_body if self._route is not None else None
        if limit is not None and self._head is not None and self._head.content_length > limit:
            raise ContentTooLarge()
        return ContentReader(exchange, limit)

    def _start_reading(self) -> Exchange:
        if self._streaming or self._content is not None:
            raise RuntimeError("the content of this request has been read already")
        exchange = self._open()
        self._streaming = True
        return exchange

    async def text(self) -> str:
        """Return the content as text, in the charset its media type names, else UTF-8.

        Raises:
            BadRequest: it is not text in that charset.
            UnsupportedMediaType: the charset is unknown.
        """
        return read_text(await self.body(), self.header("content-type"))

    async def json(self) -> Any:
        """Return the content read as JSON (RFC 8259).

        Raises:
            BadRequest: it is not JSON.
        """
        return read_json(await self.body())

    async def msgpack(self) -> Any:
        """Return the content read as MessagePack.

        Raises:
            BadRequest: it is not MessagePack.
        """
        return read_msgpack(await self.body())

    async def form(self, limits: FormLimits | None = None) -> FormData:
        """Return the fields and files of an urlencoded or multipart form; asked again, the same.

        Files are closed when the request ends; `UploadFile.save` keeps one.

        Args:
            limits: bounds of its parts; in all it may have what the route takes.

        Raises:
            UnsupportedMediaType: the content is no form.
            BadRequest: it is a broken one.
            ContentTooLarge: it has too many parts, or too much in them.
        """
        if self._form is None:
            if limits is None:
                limits = FormLimits(total=self._content_limit())
            pieces = self.stream() if self._content is None else _once(self._content)
            self._form = await parse_form(self.header("content-type"), pieces, limits)
        return self._form

    def _content_limit(self) -> int:
        limit = self._route.max_body if self._route is not None else None
        return limit if limit is not None else self._limits.buffered_content


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
