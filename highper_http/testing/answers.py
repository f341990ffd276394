"""What a server answered, as its client holds it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson

from highper_core.events import Data, EndOfMessage
from highper_core.events import Response as ResponseHead
from highper_transports.exchange import Exchange

from ..headers import Headers

__all__ = ["Answer", "StreamedAnswer"]


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
