"""Any method and target against a table of routes that overlap in every way.

Oracles: matching never raises and always answers a route; the route is the one that an exhaustive search prefers; a
target whose unreserved characters are spelt as triplets matches the same route with the same values.
"""

from __future__ import annotations

import re
from typing import Any

from highper_core.grammar import TARGET
from highper_http import percent
from highper_http.middleware.compose import compose
from highper_http.routing import Kind, Pattern, Router
from highper_http.routing.kinds import classify

__all__ = ["check", "one_input"]

PATTERNS = [
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/a/:x",
    "/a/{x:int}",
    "/a/{x:float}",
    "/a/{x:uuid}/c",
    "/:x",
    "/:x/b",
    "/:x/:y/c",
    "/{x:int}/b/:z",
    "/files/*rest",
    "/a%20b/c",
    "/ü/:x",
    "/:x/b/*rest",
]
METHODS = [b"GET", b"HEAD", b"POST", b"OPTIONS", b"CONNECT", b"PUT"]
_TRIPLET = re.compile(rb"%[0-9A-Fa-f]{2}")


async def _handler(request: object) -> None:
    """Never called: only matching is under test."""


def _table() -> Any:
    router = Router()
    for pattern in PATTERNS:
        router.add("GET", pattern, _handler)
    return router.compile(compose)


TABLE = _table()
PREFERRED = sorted((Pattern(text) for text in PATTERNS), key=lambda pattern: pattern.precedence)


def one_input(data: bytes) -> None:
    """Match the target in `data` behind the byte that chooses the method."""
    check(METHODS[data[0] % len(METHODS)] if data else b"GET", data[1:])


def check(method: bytes, target: bytes) -> None:
    """Run the oracles on one request.

    Raises:
        AssertionError: an oracle is violated.
    """
    route, values = TABLE.match(method, target)
    assert len(values) == len(route.names), (route, values)
    if method != b"GET" or not target.startswith(b"/") or not all(map(TARGET.__getitem__, target)):
        return  # the core refuses such octets before anything is routed
    path = target.partition(b"?")[0]
    expected = _searched(path)
    found = route.path if route in TABLE.routes else None
    assert expected == found, ("searched", target, expected, found)
    if found is not None:
        again, values_again = TABLE.match(method, _spelt_out(path))
        assert (again, repr(values_again)) == (route, repr(values)), ("spelling", target, again, values_again)


def _searched(path: bytes) -> str | None:
    """Return the pattern that fits `path` and is preferred, by trying each."""
    try:
        segments = percent.normalise(path).split(b"/")[1:]
    except ValueError:
        return None
    return next((pattern.text for pattern in PREFERRED if _fits(pattern, segments)), None)


def _fits(pattern: Pattern, segments: list[bytes]) -> bool:
    for index, part in enumerate(pattern.segments):
        if part.kind is Kind.REST:
            return len(segments) > index
        if index >= len(segments):
            return False
        segment = segments[index]
        if part.kind is Kind.STATIC:
            if segment != part.static:
                return False
        elif not segment or not _is_of_kind(segment, part.kind):
            return False
    return len(segments) == len(pattern.segments)


def _is_of_kind(segment: bytes, kind: Kind) -> bool:
    narrowest = classify(segment)
    return kind is Kind.STR or kind == narrowest or (kind is Kind.FLOAT and narrowest == Kind.INT)


def _spelt_out(path: bytes) -> bytes:
    """Return `path` with every second unreserved character written as a triplet."""
    out: list[bytes] = []
    position = 0
    while position < len(path):
        octet = path[position : position + 1]
        if triplet := _TRIPLET.match(path, position):
            out.append(triplet[0].lower())
            position = triplet.end()
            continue
        out.append(b"%%%02x" % octet[0] if octet.isalnum() and position % 2 else octet)
        position += 1
    return b"".join(out)
