"""Tables of routes whose handlers do nothing."""

from __future__ import annotations

from typing import Any

from highper_http.middleware import compose
from highper_http.routing import Router, RouteTable

__all__ = ["handler", "matched", "other", "table"]


def handler(request: Any) -> None:
    """Do nothing."""


def other(request: Any) -> None:
    """Do nothing either."""


def table(*patterns: str, method: str = "GET") -> RouteTable:
    """Return the table of an application with these patterns."""
    router = Router()
    for pattern in patterns:
        router.add(method, pattern, handler)
    return router.compile(compose)


def matched(routes: RouteTable, target: bytes, method: bytes = b"GET") -> tuple[str, tuple[Any, ...]]:
    """Return the pattern that a target matches, and the values it takes."""
    route, values = routes.match(method, target)
    return route.path, values
