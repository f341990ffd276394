"""h11 and llhttp (through httptools) as second and third readers of requests.

Each returns the messages it accepted whole, as `(method, target, fields, content)`, and stops where it refuses.
"""

from __future__ import annotations

from collections.abc import Sequence

import h11
import httptools

from highper_core import Data, EndOfMessage, Event, Request

__all__ = ["Message", "is_known_difference", "messages_of", "read_h11", "read_httptools"]

Message = tuple[bytes, bytes, list[tuple[bytes, bytes]], bytes]

_LLHTTP_METHODS = frozenset(
    b"DELETE GET HEAD POST PUT CONNECT OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND "
    b"UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK "
    b"UNLINK SOURCE QUERY".split()
)


def messages_of(events: Sequence[Event]) -> list[Message]:
    """Return our own events as messages."""
    messages: list[Message] = []
    head: Request | None = None
    content = b""
    for event in events:
        if isinstance(event, Request):
            head, content = event, b""
        elif isinstance(event, Data):
            content += event.data
        elif isinstance(event, EndOfMessage) and head is not None:
            messages.append((head.method, head.target, [_folded(line) for line in head.headers], content))
    return messages


def read_h11(data: bytes) -> list[Message]:
    """Return the messages h11 accepts."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    messages: list[Message] = []
    head: h11.Request | None = None
    content = b""
    connection.receive_data(data)
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA or type(event) is h11.ConnectionClosed:
                return messages
            if event is h11.PAUSED:
                if connection.our_state is not h11.SEND_RESPONSE:
                    return messages
                connection.send(h11.Response(status_code=404, headers=[(b"content-length", b"0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE:
                    return messages
                connection.start_next_cycle()
            elif type(event) is h11.Request:
                head, content = event, b""
            elif type(event) is h11.Data:
                content += bytes(event.data)
            elif type(event) is h11.EndOfMessage and head is not None:
                fields = [_folded(line) for line in head.headers]
                messages.append((bytes(head.method), bytes(head.target), fields, content))
    except h11.RemoteProtocolError:
        return messages


def read_httptools(data: bytes) -> list[Message]:
    """Return the messages llhttp accepts, up to the first that proposes to leave HTTP."""
    collector = _Collector()
    try:
        collector.parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        collector.messages.pop()  # llhttp ends such a message with its head, whatever content was announced
    except httptools.HttpParserError:
        pass
    return collector.messages


def is_known_difference(data: bytes, ours: Sequence[Message]) -> bool:
    """Say whether a refusal by both others is one of taste.

    h11 refuses an empty line before the request-line, which RFC 9112 section 2.2 asks a server to skip; llhttp knows a
    fixed list of methods. Together they can refuse what is right.
    """
    return data.startswith(b"\r\n") or b"\r\n\r\n\r\n" in data or any(head[0] not in _LLHTTP_METHODS for head in ours)


def _folded(line: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return a field line with a transfer coding in lower case: h11 shows it so, and case means nothing there."""
    return (line[0], line[1].lower()) if line[0] == b"transfer-encoding" else line


class _Collector:
    """Callbacks that httptools looks up by name."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.parser = httptools.HttpRequestParser(self)
        self.on_message_begin()

    def on_message_begin(self) -> None:
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.content = b""
        self.in_trailers = False

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.in_trailers:
            self.fields.append(_folded((name.lower(), value.rstrip(b" \t"))))  # llhttp leaves a tab at the end

    def on_headers_complete(self) -> None:
        self.in_trailers = True

    def on_body(self, body: bytes) -> None:
        self.content += body

    def on_message_complete(self) -> None:
        self.messages.append((self.parser.get_method(), self.target, self.fields, self.content))
