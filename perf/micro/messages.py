"""Typical messages, the same for every suite."""

from __future__ import annotations

__all__ = ["BROWSER_REQUEST", "RESPONSE_FIELDS"]

BROWSER_REQUEST = (
    b"GET /articles/2026/11/sans-io?page=2 HTTP/1.1\r\n"
    b"Host: www.example.org\r\n"
    b"Connection: keep-alive\r\n"
    b"Cache-Control: max-age=0\r\n"
    b"Upgrade-Insecure-Requests: 1\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    b"Sec-Fetch-Site: same-origin\r\n"
    b"Sec-Fetch-Mode: navigate\r\n"
    b"Referer: https://www.example.org/articles\r\n"
    b"Accept-Encoding: gzip, deflate, br\r\n"
    b"Accept-Language: en-GB,en;q=0.9\r\n"
    b"Cookie: session=0123456789abcdef; theme=dark\r\n"
    b"\r\n"
)

RESPONSE_FIELDS = [
    (b"date", b"Fri, 20 Nov 2026 12:00:00 GMT"),
    (b"server", b"highper"),
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-length", b"13"),
    (b"cache-control", b"max-age=60"),
]
