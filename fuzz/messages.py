"""Valid messages, and edits of them, both spelt by a few bytes of a fuzzer's input.

With coverage feedback a fuzzer changes the spelling, and so learns which message and which edit reach new code; each
of its executions still starts from a message that is valid.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["chunked_of", "request_of", "response_of", "valid_chunked", "valid_request", "valid_response"]

METHODS = [b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"DELETE", b"CONNECT", b"X-Y"]
TARGETS = [b"/", b"/a/b?c=d", b"http://a.example/p", b"/%20", b"http://[::1]:80/", b"/a;b=c,d", b"/~x!$&'()*+", b"/?q"]
HOSTS = [b"a", b"a.example:8080", b"[::1]", b"[::1]:80", b"127.0.0.1", b""]
FIELD_LINES = [
    b"accept: */*",
    b"X-Empty:",
    b"x-tab:\t a \t",
    b"x-obs: \xe9\xff",
    b"cookie: a=b; c=d",
    b"expect: 100-continue",
    b"connection: keep-alive",
    b"connection: close",
    b"connection: upgrade\r\nupgrade: toy",
    b"te: trailers",
    b"User-Agent: fuzz/1 (x; y)",
    b'x-quoted: "a\\"b"',
    b"accept-language: en,de;q=0.5",
    b"!#$%&'*+-.^_`|~: 1",
    b"range: bytes=0-1",
    b"x-long: " + b"y" * 40,
]
CONTENTS = [
    b"",
    b"a",
    b"hello world",
    b"\r\n\r\n",
    b"0\r\n\r\n",
    b"x" * 70,
    b"GET / HTTP/1.1\r\n\r\n",
    bytes(range(16)),
]
EXTENSIONS = [b"", b";a", b";a=b", b';a="b c"', b';a="\\""', b";a=b;c"]
TRAILERS = [b"", b"x-sum: 1\r\n", b"a:\r\nb: c\r\n"]
STATUSES = [b"200 OK", b"404 ", b"204 No Content", b"304 Not Modified", b"500 \xe9", b"299 a b", b"200 ", b"999 x"]
INTERIM = [b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", b""]
TOKENS = [
    *(bytes([code]) for code in b'\r\n \t\0:,;="0\x7f\x80'),
    *[b"\r\n", b"-1", b"+1", b"0x1", b"18446744073709551616", b"ffffffffffffffff"],
    *[b"chunked", b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2.0"],
    b"transfer-encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"content-length: 1\r\n",
    b"content-length: 5\r\n",
    b"host: b\r\n",
    b"expect: x\r\n",
    b" folded\r\n",
    b"connection: close\r\n",
    b"upgrade: toy\r\n",
]
SETTINGS = 7  # bytes that spell one message
EDIT = 4  # bytes that spell one edit


def valid_request(spelling: bytes) -> bytes:
    """Return the request that the first `SETTINGS` bytes of `spelling` stand for; missing bytes count as zero."""
    method_at, target_at, host_at, fields_at, framing, content_at, detail = tuple(
        spelling[:SETTINGS].ljust(SETTINGS, b"\0")
    )
    method = METHODS[method_at % len(METHODS)]
    old = method_at & 0x80 and method != b"CONNECT"
    target, host = TARGETS[target_at % len(TARGETS)], HOSTS[host_at % len(HOSTS)]
    if method == b"OPTIONS" and target_at & 0x80:
        target = b"*"
    if method == b"CONNECT":
        target = host = b"a.example:443"
        framing = 0
    elif target.startswith(b"http://"):
        host = target.split(b"/")[2]
    lines = [b"%s %s HTTP/1.%d" % (method, target, 0 if old else 1), b"Host: " + host, *_fields(fields_at)]
    return _framed(lines, 0 if old and framing % 3 == 2 else framing, content_at, detail)


def valid_response(spelling: bytes) -> bytes:
    """Return the response that the first `SETTINGS` bytes of `spelling` stand for, perhaps behind an interim one."""
    status_at, interim_at, _, fields_at, framing, content_at, detail = tuple(spelling[:SETTINGS].ljust(SETTINGS, b"\0"))
    status = STATUSES[status_at % len(STATUSES)]
    if status[:3] in (b"204", b"304"):
        framing = 0
    lines = [b"HTTP/1.%d %s" % (0 if status_at & 0x80 and framing % 3 != 2 else 1, status), *_fields(fields_at)]
    return INTERIM[interim_at % len(INTERIM)] + _framed(lines, framing, content_at, detail)


def valid_chunked(spelling: bytes) -> bytes:
    """Return a chunked body, without the head before it."""
    content_at, detail = tuple(spelling[5:SETTINGS].ljust(2, b"\0"))
    return _chunked(CONTENTS[content_at % len(CONTENTS)], detail)


def request_of(spelling: bytes) -> bytes:
    """Return one or two requests with the edits that the rest of `spelling` stands for."""
    return _edited(spelling, valid_request)


def response_of(spelling: bytes) -> bytes:
    """Return one or two responses with the edits that the rest of `spelling` stands for."""
    return _edited(spelling, valid_response)


def chunked_of(spelling: bytes) -> bytes:
    """Return a chunked body, perhaps with what looks like another behind it, with edits."""
    return _edited(spelling, valid_chunked)


def _fields(at: int) -> list[bytes]:
    chosen = [FIELD_LINES[at % 16]] if at & 0x10 else []
    return [*chosen, FIELD_LINES[at * 7 % 13]] if at & 0x20 and at % 16 not in (6, 7, 8) else chosen


def _framed(lines: list[bytes], framing: int, content_at: int, detail: int) -> bytes:
    content = CONTENTS[content_at % len(CONTENTS)]
    if framing % 3 == 0:
        return b"\r\n".join(lines) + b"\r\n\r\n"
    if framing % 3 == 1:
        return b"\r\n".join([*lines, b"Content-Length: %d" % len(content)]) + b"\r\n\r\n" + content
    return b"\r\n".join([*lines, b"Transfer-Encoding: chunked"]) + b"\r\n\r\n" + _chunked(content, detail)


def _chunked(content: bytes, detail: int) -> bytes:
    extension, trailers = EXTENSIONS[detail % len(EXTENSIONS)], TRAILERS[detail // 8 % len(TRAILERS)]
    size = 1 + detail // 32
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    coded = b"".join(b"%x%s\r\n%s\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    return coded + b"0\r\n" + trailers + b"\r\n"


def _edited(spelling: bytes, build: Callable[[bytes], bytes]) -> bytes:
    form = spelling[0] if spelling else 0
    message = build(spelling[1 : 1 + SETTINGS])
    rest = spelling[1 + SETTINGS :]
    if form & 1:
        message += build(rest[:SETTINGS])
        rest = rest[SETTINGS:]
    for start in range(0, min(len(rest) - EDIT + 1, 8 * EDIT), EDIT):
        operation, where, low, value = tuple(rest[start : start + EDIT])
        message = _edit(message, operation % 8, (where << 8 | low) % (len(message) + 1), value)
    return message


def _edit(message: bytes, operation: int, at: int, value: int) -> bytes:
    before, after = message[:at], message[at:]
    if operation == 0:
        return before + bytes([value]) + after[1:]
    if operation == 1:
        return before + bytes([value]) + after
    if operation == 2:
        return before + after[1 + value % 4 :]
    if operation == 3:
        return before + TOKENS[value % len(TOKENS)] + after
    if operation == 4:
        return before + after[:value] + after
    if operation == 5:
        return before + bytes([after[0] ^ 1 << value % 8]) + after[1:] if after else before
    line = message.rfind(b"\n", 0, at) + 1
    stop = message.find(b"\n", at) + 1 or len(message)
    if operation == 6:
        return message[:stop] + message[line:stop] * (1 + value % 3) + message[stop:]
    return (
        message[:line] + TOKENS[value % len(TOKENS)] + message[line:]
        if value & 0x80
        else message[:line] + message[stop:]
    )
