"""Matching a request-target against the 200 routes of a usual application, and what the number of routes costs."""

from __future__ import annotations

from collections.abc import Callable

from suite import Cases, block_timer, run

from highper_http.middleware.compose import compose
from highper_http.routing import Router, RouteTable

__all__ = ["CASES"]

RESOURCES = 40


async def _handler(request: object) -> None:
    """Never called."""


def _table(resources: int) -> RouteTable:
    router = Router()
    for number in range(resources):
        router.add("GET", f"/r{number}", _handler)
        router.add("POST", f"/r{number}", _handler)
        router.add("GET", f"/r{number}/:id", _handler)
        router.add("GET", f"/r{number}/{{id:int}}/parts/:part", _handler)
        router.add("GET", f"/r{number}/files/*rest", _handler)
    return router.compile(compose)


def _match(table: RouteTable, target: bytes) -> Callable[[int], float]:
    return block_timer(lambda: table, lambda routes: routes.match(b"GET", target))


_USUAL, _HUGE = _table(RESOURCES), _table(50 * RESOURCES)

CASES: Cases = {
    "router static": _match(_USUAL, b"/r20"),
    "router static, query": _match(_USUAL, b"/r20?page=2"),
    "router one parameter": _match(_USUAL, b"/r20/abc"),
    "router two parameters": _match(_USUAL, b"/r20/42/parts/x"),
    "router catch-all": _match(_USUAL, b"/r20/files/a/b/c.txt"),
    "router percent-encoded": _match(_USUAL, b"/r20/a%20b"),
    "router no such path": _match(_USUAL, b"/nothing/here"),
    "router two parameters, 10,000 routes": _match(_HUGE, b"/r1000/42/parts/x"),
}

if __name__ == "__main__":
    run(CASES)
