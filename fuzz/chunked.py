"""Any bytes as a chunked body: its head is fixed and valid, so every execution reaches the chunk parser.

A second request follows the body, so bytes that one reading takes as content and another as a request show up.
"""

from __future__ import annotations

import http_request
from messages import chunked_of
from settings import START_VALID, is_sampled

__all__ = ["one_input"]

HEAD = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nhost: a\r\n\r\n"


def one_input(data: bytes) -> None:
    """Run the oracles on one input of the fuzzer."""
    stage = data[0] if data else 0
    body = chunked_of(data) if START_VALID else data[1:]
    stream = HEAD + body + NEXT
    http_request.check(stream, small=bool(stage & 2), end=bool(stage & 8), sampled=is_sampled(data))
