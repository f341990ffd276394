"""The table a request is matched against: built at start-up, only read afterwards.

A request-target without parameters in its route costs one look-up of its bytes. The rest is decided segment by segment
(`tree`). Nothing is decoded before the path was split, and nothing but the parameters' values then.

Every answer is a route, also where nothing matches: not found, method not allowed, a path that cannot be decoded, and
OPTIONS are routes made here, with the root's middleware around them. Those that say what is allowed carry it as their
parameter `allow`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .. import percent
from ..errors import BadRequest, HTTPError, MethodNotAllowed, NotFound
from .kinds import classify, convert
from .route import ANY, Compose, Match, Route
from .tree import State, build

__all__ = ["RouteTable"]

_ORDER = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_REST = 5  # Kind.REST, where a look-up of the enumeration would count


class MethodRoutes:
    """The routes one method reaches.

    Args:
        routes: in order of preference among those of one shape; only the first of a shape is kept.
    """

    __slots__ = ("static", "start", "depth")

    def __init__(self, routes: Iterable[Route]) -> None:
        self.static: dict[bytes, Match] = {}
        shapes: dict[tuple[Any, ...], Route] = {}
        for route in routes:
            shapes.setdefault(route.pattern.shape, route)
        parametric = []
        for route in shapes.values():
            path = route.pattern.static_path
            if path is None:
                parametric.append(route)
            else:
                self.static[path] = route.match
        start, depth = build(parametric)
        self.start: State = start
        self.depth: int = depth + 1

    def find(self, path: bytes) -> Match | None:
        """Return the route `path` matches through its parameters, with their values, or None.

        Raises:
            ValueError: a value is not UTF-8.

        Cost: one step for each segment, at most as many as the longest pattern has.
        """
        segments = path.split(b"/", self.depth)
        count = len(segments)
        index = 1
        state = self.start
        route: Route | None = None
        while index < count:
            segment = segments[index]
            following = state.static.get(segment) if state.static else None
            if following is None and segment:
                following = _parameter(state, segment)
            if following is None:
                route = state.rest
                break
            state = following
            index += 1
        if index == count:
            route = state.end
        return None if route is None else (route, _values(route, segments))


def _parameter(state: State, segment: bytes) -> State | None:
    if state.typed is not None:
        kind = classify(segment)
        if kind < 4:
            return state.typed[kind - 1]
    return state.parameter


def _values(route: Route, segments: list[bytes]) -> tuple[Any, ...]:
    captures = route.captures
    if len(captures) == 1 and captures[0][1] != _REST:
        index, kind = captures[0]
        return (convert(kind, segments[index]),)
    values: list[Any] = []
    for index, kind in captures:
        segment = b"/".join(segments[index:]) if kind == _REST else segments[index]
        values.append(convert(kind, segment))
    return tuple(values)


class RouteTable:
    """Every route of an application, by method and path.

    Args:
        routes: bound routes; no two of one method and shape.
        layers: middleware of the root, around the answers made here.
        compose: joins middleware and handler.

    Raises:
        SetupError: the routes overlap in too many segments at once.
    """

    __slots__ = (
        "routes",
        "not_found",
        "method_not_allowed",
        "options",
        "malformed",
        "tunnel",
        "_methods",
        "_any",
        "_gets",
        "_every",
    )

    def __init__(self, routes: Sequence[Route], layers: Sequence[Any], compose: Compose) -> None:
        self.routes = tuple(routes)
        self.not_found = Route.prepared(_not_found, layers, compose)
        self.method_not_allowed = Route.prepared(_method_not_allowed, layers, compose, names=("allow",))
        self.options = Route.prepared(_options, layers, compose, names=("allow",))
        self.malformed = Route.prepared(_malformed, layers, compose)
        self.tunnel = Route.prepared(_tunnel, layers, compose)
        self._methods: dict[bytes, MethodRoutes] = {}
        own: dict[str, list[Route]] = {}
        for route in routes:
            for method in route.methods:
                own.setdefault(method, []).append(route)
        every = own.pop(ANY, [])
        self._any = MethodRoutes(every)
        named = {*own, "OPTIONS", *(_ORDER if every else ["HEAD"] if "GET" in own else [])}
        for method in sorted(named, key=_rank):
            reached = list(own.get(method, ()))
            if method == "HEAD":
                reached += own.get("GET", ())
            self._methods[method.encode()] = MethodRoutes(reached if method == "CONNECT" else reached + every)
        self._every = ", ".join([method.decode() for method in self._methods])
        self._gets = self._methods.get(b"GET")  # nearly all are for it
        self._methods.setdefault(b"CONNECT", MethodRoutes([]))  # never those of every method: 200 would be a tunnel

    def match(self, method: bytes, target: bytes) -> Match:
        """Return the route of a request and the values of its parameters, in the order of `Route.names`.

        Args:
            method: token as received.
            target: request-target as received, in any form.

        Returns:
            always a route: where none of the application's matches, one that answers so.

        Cost: static routes: two look-ups, no allocation. Others: one step for each segment, a value for each
            parameter. Misses: the same again for each method that any route has.

        Source: RFC 9112 section 3.2 (forms), RFC 9110 sections 9.3.2 (HEAD), 9.3.7 (OPTIONS), 15.5.6 (405).
        """
        routes = self._gets if method == b"GET" else self._methods.get(method)
        if routes is None:
            routes = self._any
        found = routes.static.get(target)
        return found if found is not None else self._search(routes, method, target)

    def _search(self, routes: MethodRoutes, method: bytes, target: bytes) -> Match:
        path = target
        if b"?" in path:
            path = path[: path.find(b"?")]
            found = routes.static.get(path)
            if found is not None:
                return found
        if not path or path[0] != 47:
            return self._other_form(method, target)
        try:
            if b"%" in path:
                path = percent.normalise(path)
                found = routes.static.get(path)
                if found is not None:
                    return found
            found = routes.find(path)
            return found if found is not None else self._miss(method, path)
        except ValueError:
            return self.malformed.match

    def _other_form(self, method: bytes, target: bytes) -> Match:
        if target == b"*":
            return (self.options, (self._every,)) if method == b"OPTIONS" else self.malformed.match
        if method == b"CONNECT":  # its authority is matched as the one segment of a path
            found = None if b"/" in target else self._methods[method].find(b"/" + target)
            return found if found is not None else self.tunnel.match
        scheme = target.find(b"://")
        if scheme < 0:
            return self.malformed.match
        authority = target[scheme + 3 :]
        slash = authority.find(b"/")
        query = authority.find(b"?")
        if slash >= 0 and (query < 0 or slash < query):
            return self.match(method, authority[slash:])
        if query < 0 and method == b"OPTIONS":
            return self._other_form(method, b"*")
        return self.match(method, b"/")

    def _miss(self, method: bytes, path: bytes) -> Match:
        allowed = [
            name.decode()
            for name, routes in self._methods.items()
            if name != b"OPTIONS" and (path in routes.static or routes.find(path) is not None)
        ]
        explicit = self._methods[b"OPTIONS"]
        if not allowed and path not in explicit.static and explicit.find(path) is None:
            return self.not_found.match
        allow = ", ".join(sorted([*allowed, "OPTIONS"], key=_rank))
        return (self.options if method == b"OPTIONS" else self.method_not_allowed), (allow,)


def _rank(method: str) -> tuple[int, str]:
    return (_ORDER.index(method) if method in _ORDER else len(_ORDER) + (method != "OPTIONS")), method


def _not_found(request: Any) -> None:
    raise NotFound


def _method_not_allowed(request: Any) -> None:
    raise MethodNotAllowed(request.param("allow").split(", "))


def _options(request: Any, response: Any) -> None:
    response.status(204).header("allow", request.param("allow"))


def _malformed(request: Any) -> None:
    raise BadRequest("the request-target cannot be decoded")


def _tunnel(request: Any) -> None:
    raise HTTPError(501, "this server opens no tunnels")
