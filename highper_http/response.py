# cython: annotation_typing=False
"""The response as an application fills it in.

    OPEN --text, json, ...--> FINISHED --(the outermost middleware returned)--> SENT
    OPEN --a WebSocket is accepted--> SWITCHING --(the outermost middleware returned)--> SENT
    OPEN --stream()--> STREAMING --first piece--> HEAD_SENT --end of the stream--> SENT

Finishing says what the answer is; it sends nothing. Until the head leaves, anybody around the handler may change
status, fields and content type; afterwards such a change raises `ResponseError`. Callbacks of `before_head` run last
registered first, at the moment the head leaves, and may still change it.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import quote

import msgpack  # type: ignore[import-untyped]
from orjson import dumps

from highper_core.context import Part
from highper_core.events import END_OF_MESSAGE, EndOfMessage
from highper_core.events import Response as ResponseHead

from .body import ContentSender
from .cookies import SameSite, format_cookie
from .errors import ResponseError
from .event_text import CONTENT_TYPE
from .files import OpenFile
from .heads import BYTES, HTML, JSON, MSGPACK, TEXT, FieldValue, field_line, own_head, plain_head

if TYPE_CHECKING:
    from datetime import datetime

    from highper_transports.exchange import Exchange

    from .events import EventStream
    from .heads import Heir

__all__ = ["Response"]

OPEN: Final = 0
FINISHED: Final = 1
SWITCHING: Final = 2
STREAMING: Final = 3
HEAD_SENT: Final = 4
SENT: Final = 5

Bytes: TypeAlias = bytes  # `bytes` is a method below


class Response(Part):
    """One response. Every setter and finisher returns the response itself, so calls chain.

    Made without an exchange it is a value that a handler may return; `take` puts it into the real one.
    """

    __slots__ = ("_before", "_content", "_content_type", "_exchange", "_fields", "_file", "_heir", "_state", "_status")

    def __init__(self, status: int = 0) -> None:
        self._reset()
        if status:
            self.status(status)

    def _reset(self) -> None:
        """Forget everything; for a pool."""
        self._exchange: Exchange | None = None
        self._state = OPEN
        self._status = 0
        self._content = b""
        self._content_type: bytes | None = None
        self._fields: list[tuple[bytes, bytes]] | None = None
        self._before: list[Callable[[], object]] | None = None
        self._file: OpenFile | None = None
        self._heir: Heir | None = None

    def _detach(self) -> None:
        """Let go of the exchange, which is over."""
        self._exchange = None
        self._state = SENT
        self._before = None
        if self._file is not None or self._heir is not None:
            self._let_go()

    def _let_go(self) -> None:
        """What was to be sent will not be, or has been."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
        heir, self._heir = self._heir, None
        if heir is not None:
            heir.close()

    # Head

    def status(self, code: int) -> Response:
        """Set the status code, 200 to 999. Without one an answer with content is 200, without content 204."""
        if not 200 <= code <= 999:
            raise ResponseError(f"a final response has a status from 200 to 999, not {code!r}")
        self._unsent()
        self._status = code
        return self

    def header(self, name: str, value: FieldValue, *, append: bool = False) -> Response:
        """Set field `name`, in place of any before it.

        Args:
            name: field name, in any case.
            value: text of Latin-1, bytes, or a number.
            append: add another field line instead.

        Raises:
            ResponseError: the head has left.
            ValueError: characters that no field may hold.
        """
        self._unsent()
        line = field_line(name, value)
        key = line[0]
        if key == b"content-type":
            self._content_type = line[1]
            return self
        if self._fields is None:
            self._fields = []
        elif not append and self._has(key):
            self._fields = [field for field in self._fields if field[0] != key]
        self._fields.append(line)
        return self

    def _has(self, key: Bytes) -> bool:
        for field in self._fields or ():  # noqa: SIM110 -- a generator costs more than the search
            if field[0] == key:
                return True
        return False

    def cookie(
        self,
        name: str,
        value: str,
        *,
        max_age: int | None = None,
        expires: datetime | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        http_only: bool = True,
        same_site: SameSite | None = "lax",
    ) -> Response:
        """Add a Set-Cookie field. Source: RFC 6265 section 4.1."""
        line = format_cookie(
            name,
            value,
            max_age=max_age,
            expires=expires,
            path=path,
            domain=domain,
            secure=secure,
            http_only=http_only,
            same_site=same_site,
        )
        return self.header("set-cookie", line, append=True)

    def before_head(self, callback: Callable[[], object]) -> Response:
        """Call `callback` when the head is about to leave, with everything else decided."""
        self._unsent()
        if self._before is None:
            self._before = []
        self._before.append(callback)
        return self

    @property
    def status_code(self) -> int:
        """Status as it stands: the one set, else 200 when there is content and 204 when there is none."""
        return self._status or (204 if self._state == OPEN else 200)

    @property
    def is_finished(self) -> bool:
        """True once somebody said what the answer is."""
        return self._state != OPEN

    # Finishing

    def text(self, value: str) -> Response:
        """Answer with plain text."""
        return self._finish(value.encode(), TEXT)

    def html(self, value: str) -> Response:
        """Answer with HTML."""
        return self._finish(value.encode(), HTML)

    def json(self, value: Any, *, default: Callable[[Any], Any] | None = None) -> Response:
        """Answer with JSON. `default` turns what JSON does not know into what it knows.

        Raises:
            TypeError: `value` has no form in JSON.
        """
        return self._finish(dumps(value) if default is None else dumps(value, default), JSON)

    def msgpack(self, value: Any, *, default: Callable[[Any], Any] | None = None) -> Response:
        """Answer with MessagePack."""
        return self._finish(msgpack.packb(value, default=default), MSGPACK)

    def bytes(self, value: Bytes | bytearray | memoryview) -> Response:
        """Answer with bytes."""
        return self._finish(bytes(value), BYTES)

    def redirect(self, url: str, status: int = 302) -> Response:
        """Answer with a redirection. Source: RFC 9110 section 15.4."""
        if status not in (301, 302, 303, 307, 308):
            raise ResponseError(f"a redirection has the status 301, 302, 303, 307 or 308, not {status!r}")
        self._finish(b"", None)
        return self.status(status).header("location", quote(url, safe=_URL_SAFE))

    def file(
        self,
        path: str | PathLike[str],
        *,
        root: str | PathLike[str] | None = None,
        content_type: str | None = None,
        download: str | None = None,
    ) -> Response:
        """Answer with a file, moved by sendfile where the transport can.

        Args:
            path: a regular file.
            root: directory that `path` is relative to and, with symbolic links followed, must not leave; always give
                it when any part of `path` comes from a client.
            content_type: media type; guessed from the name when absent.
            download: file name under which a browser shall save it.

        Raises:
            NotFound: no such regular file there, or outside of `root`.
        """
        self._unfinished()
        opened = OpenFile.at(path, root)
        self._finish(b"", (content_type or opened.content_type).encode("latin-1"))
        self._file = opened
        if download is not None:
            self.header("content-disposition", f"attachment; filename*=UTF-8''{quote(download, safe='')}")
        return self.header("content-length", opened.size)

    def stream(self) -> ContentSender:
        """Answer piece by piece: `async with response.stream() as send: await send(b"...")`.

        Set content-length before for framing of known length; else the content is chunked (RFC 9112 section 7.1).
        """
        self._finish(b"", BYTES)
        self._state = STREAMING
        return ContentSender(self)

    def events(self, **options: Any) -> EventStream:
        """Answer with Server-Sent Events: `async with response.events() as events`. Options as `EventStream`."""
        from .events import EventStream

        stream = EventStream(self, **options)
        self._finish(b"", CONTENT_TYPE)
        self._state = STREAMING
        return stream

    def take(self, value: Any) -> None:
        """Finish with what a handler returned: str, bytes, dict, list, or a Response.

        Raises:
            TypeError: nothing that can be an answer.
        """
        if isinstance(value, str):
            self.text(value)
        elif isinstance(value, (bytes, bytearray, memoryview)):
            self.bytes(value)
        elif isinstance(value, (dict, list)):
            self.json(value)
        elif not isinstance(value, Response):
            raise TypeError(f"a handler answers with str, bytes, dict, list or a Response, not {type(value).__name__}")
        elif value is not self:
            self._adopt(value)

    def _adopt(self, other: Response) -> None:
        if other._state not in (OPEN, FINISHED):
            raise ResponseError("a response that is streamed or sent cannot be returned")
        self._unfinished()
        self._state = other._state
        self._status = other._status or self._status
        self._content = other._content
        self._content_type = other._content_type or self._content_type
        self._file = other._file
        other._file = None
        if other._fields:
            replaced = {name for name, _ in other._fields}
            self._fields = [line for line in self._fields or () if line[0] not in replaced] + other._fields
        if other._before:
            self._before = (self._before or []) + other._before

    def _switch(self, heir: Heir) -> None:
        """Answer 101, and give the stream to `heir`."""
        self._finish(b"", None)
        self._state = SWITCHING
        self._status = 101
        self._heir = heir

    def _finish(self, content: Bytes, content_type: Bytes | None) -> Response:
        if self._state != OPEN:
            self._unfinished()
        self._state = FINISHED
        self._content = content
        if self._content_type is None:
            self._content_type = content_type
        return self

    def _unfinished(self) -> None:
        if self._state != OPEN:
            raise ResponseError("this response is finished already")

    def _unsent(self) -> None:
        if self._state >= HEAD_SENT:
            raise ResponseError("the head of this response has left already")

    # Sending, for the dispatcher and the stream

    def _send(self) -> bool:
        """Send what the answer is by now; False where that takes `_send_specially`."""
        if self._state > FINISHED:
            if self._state == SWITCHING:
                return False
            if self._state != SENT:
                raise ResponseError("a stream was asked for and not brought to its end")
            return True
        if self._file is not None:
            return False
        exchange = self._exchange
        assert exchange is not None
        exchange.send_message(self._build_head(), self._content)
        self._state = SENT
        return True

    async def _send_specially(self) -> None:
        """Send an answer that is a file, or that gives the stream away."""
        if self._state == SWITCHING:
            while self._before:
                self._before.pop()()
            assert self._heir is not None
            self._heir.open(self._fields or ())
            self._heir = None
            self._state = SENT
            return
        exchange, file = self._exchange, self._file
        assert exchange is not None
        assert file is not None
        exchange.send(self._build_head())
        self._state = HEAD_SENT
        if exchange.request.method != b"HEAD":
            await exchange.send_file(file.file, 0, file.size)
        exchange.send(END_OF_MESSAGE)
        self._state = SENT

    def _is_sent(self) -> bool:
        return self._state == SENT

    def _build_head(self) -> ResponseHead:
        """Run what waits for the head and return it as an event."""
        while self._before:
            self._before.pop()()
        status = self._status or (204 if self._state == OPEN else 200)
        if self._fields is None:
            return plain_head(status, self._content_type)
        return own_head(status, self._content_type, self._fields)

    def _send_head(self) -> Exchange:
        """Send the head of a streamed answer, unless it has left; return the exchange."""
        exchange = self._exchange
        if exchange is None:
            raise ResponseError("this response belongs to no exchange, or to one that is over")
        if self._state != HEAD_SENT:
            if self._state != STREAMING:
                raise ResponseError("this response is not being streamed")
            exchange.send(self._build_head())
            self._state = HEAD_SENT
        return exchange

    def _end_stream(self, end: EndOfMessage) -> None:
        """End the content of a streamed answer; one that had none is finished, not sent."""
        if self._state == HEAD_SENT:
            self._send_head().send(end)
            self._state = SENT
        elif self._state == STREAMING:
            self._state = FINISHED
            self._content = b""

    def _begin_error(self, status: int, content_type: Bytes, content: Bytes) -> None:
        """Become the answer for an error: what was set is dropped, `before_head` callbacks are kept."""
        assert self._state < HEAD_SENT
        self._let_go()
        self._state = FINISHED
        self._status = status
        self._content = content
        self._content_type = content_type
        self._fields = None


_URL_SAFE: Final = "!#$%&'()*+,/:;=?@[]~"
