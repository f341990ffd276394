# cython: annotation_typing=False
"""What a connection reads and writes: the vocabulary shared by engines, driver and applications.

Events are never mutated once built. Each carries a `stream_id`, constant in HTTP/1, so that a protocol that
interleaves exchanges can arrive as one more engine and nothing above the core changes. They are ordinary classes
with slots: an augmenting declaration file turns them into C structs where the extension is built.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from ._spares import keep_spares
from .fields import Fields

__all__ = [
    "END_OF_MESSAGE",
    "NEED_DATA",
    "PAUSED",
    "BytesFragment",
    "CloseConnection",
    "ConnectionClosed",
    "Data",
    "EndOfMessage",
    "Event",
    "InformationalResponse",
    "Ping",
    "Pong",
    "Request",
    "Response",
    "Signal",
    "TextFragment",
    "response_head",
]

FieldLines: TypeAlias = Iterable[tuple[bytes, bytes]]


class Event:
    """Anything `next_event` returns or `send` takes."""

    __slots__ = ("stream_id",)

    def __init__(self) -> None:
        self.stream_id = 0

    def _key(self) -> tuple[object, ...]:
        return (self.stream_id,)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, Event) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self), self._key()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self._key()[1:]!r}"


class Request(Event):
    """The head of a request.

    Args:
        method: token, case kept.
        target: request-target as received, never decoded.
        headers: field lines in order; names are lower case when received.
        http_version: b"1.0" or b"1.1"; higher minor versions are read as 1.1 (RFC 9110 section 2.5).
        content_length: bytes of content announced; 0 for none, -1 when chunked. Set by engines; ignored by `send`.
        stream_id: exchange the event belongs to.

    Source: RFC 9112 section 3.
    """

    __slots__ = ("method", "target", "headers", "http_version", "content_length")

    def __init__(
        self,
        *,
        method: bytes,
        target: bytes,
        headers: FieldLines = (),
        http_version: bytes = b"1.1",
        content_length: int = 0,
        stream_id: int = 0,
    ) -> None:
        self.stream_id = stream_id
        self.method = method
        self.target = target
        self.headers: Fields = Fields.of(headers)
        self.http_version = http_version
        self.content_length = content_length

    def _key(self) -> tuple[object, ...]:
        return (self.stream_id, self.method, self.target, self.headers, self.http_version, self.content_length)


class _StatusEvent(Event):
    """What an interim and a final response share."""

    __slots__ = ("status_code", "headers", "reason", "http_version")

    def __init__(
        self,
        *,
        status_code: int,
        headers: FieldLines = (),
        reason: bytes | None = None,
        http_version: bytes = b"1.1",
        stream_id: int = 0,
    ) -> None:
        self.stream_id = stream_id
        self.status_code = status_code
        self.headers: Fields = Fields.of(headers)
        self.reason = reason
        self.http_version = http_version

    def _key(self) -> tuple[object, ...]:
        return (self.stream_id, self.status_code, self.headers, self.reason, self.http_version)


class InformationalResponse(_StatusEvent):
    """The head of an interim response, 100 to 199. Source: RFC 9110 section 15.2."""

    __slots__ = ()


class Response(_StatusEvent):
    """The head of a final response, 200 to 999.

    Args:
        status_code: three digits.
        headers: field lines in order.
        reason: phrase for the status-line; None for the registered one.
        http_version: as received; `send` always writes HTTP/1.1.
        stream_id: exchange the event belongs to.

    Source: RFC 9112 section 4.
    """

    __slots__ = ("_base",)

    _base: Response | None  # a head with fewer field lines, which this one begins with


def response_head(base: Response, lines: list[tuple[bytes, bytes]]) -> Response:
    """Return `base` with some field lines more, for who makes one for every request: what is framed of `base` is kept.

    Cost: in framing, that of `lines` alone.
    """
    fields = Fields.__new__(Fields)
    fields._lines = base.headers.lines() + lines
    head = Response.__new__(Response)
    head._base = base
    head.stream_id = 0
    head.status_code = base.status_code
    head.headers = fields
    head.reason = None
    head.http_version = b"1.1"
    return head


class Data(Event):
    """A piece of content. Where the pieces are cut carries no meaning.

    Args:
        data: bytes of content; engines yield `bytes`, `send` also takes any bytes-like object.
        stream_id: exchange the event belongs to.
    """

    __slots__ = ("data",)

    def __init__(self, data: bytes | bytearray | memoryview, stream_id: int = 0) -> None:
        self.stream_id = stream_id
        self.data = data

    def _key(self) -> tuple[object, ...]:
        return (self.stream_id, bytes(self.data))


class EndOfMessage(Event):
    """The end of a message, with its trailer section. `END_OF_MESSAGE` is the one without trailers."""

    __slots__ = ("headers",)

    def __init__(self, headers: FieldLines = (), stream_id: int = 0) -> None:
        self.stream_id = stream_id
        self.headers: Fields = Fields.of(headers)

    def _key(self) -> tuple[object, ...]:
        return (self.stream_id, self.headers)


class ConnectionClosed(Event):
    """The peer will send nothing more. Comes once."""

    __slots__ = ()


class TextFragment(Event):
    """A piece of a text message, or all of it. Where the pieces are cut carries no meaning.

    Args:
        text: characters, never half of one.
        finished: the message ends with it.
        stream_id: exchange the event belongs to.

    Source: RFC 6455 section 5.6.
    """

    __slots__ = ("text", "finished")

    def __init__(self, text: str, finished: bool = True, stream_id: int = 0) -> None:
        self.stream_id = stream_id
        self.text = text
        self.finished = finished

    def _key(self) -> tuple[object, ...]:
        return (self.stream_id, self.text, self.finished)


class BytesFragment(Event):
    """A piece of a binary message, or all of it. Where the pieces are cut carries no meaning.

    Args:
        data: engines yield `bytes`, `send` also takes any bytes-like object.
        finished: the message ends with it.
        stream_id: exchange the event belongs to.

    Source: RFC 6455 section 5.6.
    """

    __slots__ = ("data", "finished")

    def __init__(self, data: bytes | bytearray | memoryview, finished: bool = True, stream_id: int = 0) -> None:
        self.stream_id = stream_id
        self.data = data
        self.finished = finished

    def _key(self) -> tuple[object, ...]:
        return (self.stream_id, bytes(self.data), self.finished)


class _ControlEvent(Event):
    """What Ping and Pong share: up to 125 bytes of no meaning to anybody but who sent the Ping."""

    __slots__ = ("data",)

    def __init__(self, data: bytes = b"", stream_id: int = 0) -> None:
        self.stream_id = stream_id
        self.data = data

    def _key(self) -> tuple[object, ...]:
        return (self.stream_id, self.data)


class Ping(_ControlEvent):
    """A Ping; one that is received is answered without anybody's doing. Source: RFC 6455 section 5.5.2."""

    __slots__ = ()


class Pong(_ControlEvent):
    """A Pong, asked for or not. Source: RFC 6455 section 5.5.3."""

    __slots__ = ()


class CloseConnection(Event):
    """The closing handshake: the peer began or answered it; or, sent, it is to begin.

    Args:
        code: close code; 1005 when there is none.
        reason: up to 123 bytes of UTF-8.
        stream_id: exchange the event belongs to.

    Source: RFC 6455 sections 5.5.1 and 7.
    """

    __slots__ = ("code", "reason")

    def __init__(self, code: int = 1000, reason: str = "", stream_id: int = 0) -> None:
        self.stream_id = stream_id
        self.code = code
        self.reason = reason

    def _key(self) -> tuple[object, ...]:
        return (self.stream_id, self.code, self.reason)


class Signal:
    """Something `next_event` returns that is not an event; compare with `is`."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


NEED_DATA: Final = Signal("NEED_DATA")  # call `receive_data`, then ask again
PAUSED: Final = Signal("PAUSED")  # nothing more until our side has answered or the cycle has begun anew
END_OF_MESSAGE: Final = EndOfMessage()

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

for kind in (Request, Response, Data, TextFragment, BytesFragment):
    keep_spares(kind)
