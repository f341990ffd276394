"""Routers collect routes and middleware, and nest.

A router is a list of routes and of routers below a prefix. Nothing is matched against it: `compile` turns the root
into a `RouteTable` at start-up. Middleware of a router runs around every route of it, also those registered earlier and
those of routers mounted on it; that of the root also around the answers for requests no route matches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

from ..endpoint import Handler
from ..errors import RouteConflict, SetupError
from .pattern import Pattern
from .route import ANY, Compose, Route
from .table import RouteTable

if TYPE_CHECKING:
    from highper_core.limits import Limits
    from highper_core.permessage_deflate import DeflateSettings

__all__ = ["Router"]

_Key: TypeAlias = "tuple[object, ...]"
H = TypeVar("H", bound=Callable[..., Any])
M = TypeVar("M")
R = TypeVar("R", bound="Router")

_KNOWN = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})


class Router:
    """Routes and middleware, to be served, or mounted on another router."""

    def __init__(self) -> None:
        self._entries: list[Route | tuple[Pattern, Router]] = []
        self._layers: list[Any] = []
        self._taken: dict[_Key, Route] = {}

    def add(
        self,
        methods: str | Iterable[str],
        pattern: str,
        handler: Handler,
        *,
        name: str | None = None,
        middleware: Sequence[Any] = (),
        inline: bool = False,
        cancel_on_disconnect: bool = True,
        max_body: int | None = None,
    ) -> Route:
        """Register `handler` for `methods` at `pattern`.

        Args:
            methods: one token or several; "*" for every method but CONNECT.
            pattern: see `highper_http.routing.pattern`; empty for the very place this router is mounted at.
            handler: takes (request) or (request, response).
            name: for `url_for`.
            middleware: around this route alone, outermost first.
            inline: a plain function that never blocks runs in place.
            cancel_on_disconnect: the handler is cancelled when the client vanished.
            max_body: bytes of content the handler takes; None for the server's limit.

        Raises:
            SetupError: malformed pattern or method, or a handler that cannot be called.
            RouteConflict: a method and pattern, or a name, that this router already has.
        """
        each = [methods] if isinstance(methods, str) else list(methods)
        route = Route(
            [method.upper() if method.upper() in _KNOWN else method for method in each],
            Pattern(pattern),
            handler,
            name=name,
            layers=middleware,
            inline=inline,
            cancel_on_disconnect=cancel_on_disconnect,
            max_body=max_body,
        )
        _claim(self._taken, route, Pattern(""))
        self._entries.append(route)
        return route

    def get(self, pattern: str, **options: Any) -> Callable[[H], H]:
        """Register the decorated handler for GET, and with it HEAD. Options as for `add`."""
        return self._decorator("GET", pattern, options)

    def post(self, pattern: str, **options: Any) -> Callable[[H], H]:
        """Register the decorated handler for POST. Options as for `add`."""
        return self._decorator("POST", pattern, options)

    def put(self, pattern: str, **options: Any) -> Callable[[H], H]:
        """Register the decorated handler for PUT. Options as for `add`."""
        return self._decorator("PUT", pattern, options)

    def patch(self, pattern: str, **options: Any) -> Callable[[H], H]:
        """Register the decorated handler for PATCH. Options as for `add`."""
        return self._decorator("PATCH", pattern, options)

    def delete(self, pattern: str, **options: Any) -> Callable[[H], H]:
        """Register the decorated handler for DELETE. Options as for `add`."""
        return self._decorator("DELETE", pattern, options)

    def head(self, pattern: str, **options: Any) -> Callable[[H], H]:
        """Register the decorated handler for HEAD, before that of GET. Options as for `add`."""
        return self._decorator("HEAD", pattern, options)

    def options(self, pattern: str, **options: Any) -> Callable[[H], H]:
        """Register the decorated handler for OPTIONS, before the automatic answer. Options as for `add`."""
        return self._decorator("OPTIONS", pattern, options)

    def any(self, pattern: str, **options: Any) -> Callable[[H], H]:
        """Register the decorated handler for every method that has no route of its own at this pattern."""
        return self._decorator(ANY, pattern, options)

    def websocket(
        self,
        pattern: str,
        *,
        subprotocols: Sequence[str] = (),
        origins: str | Iterable[str] | None = None,
        policy: str = "block",
        deflate: DeflateSettings | None = None,
        limits: Limits | None = None,
        middleware: Sequence[Any] = (),
        socket_middleware: Sequence[Any] = (),
        name: str | None = None,
    ) -> Callable[[H], H]:
        """Register the decorated coroutine function, or `WebSocketListener`, for the WebSockets opened at `pattern`.

        A request for it that opens none is answered 426.

        Args:
            subprotocols: those it speaks; of them the first that a client names is chosen.
            origins: whose pages may open one, as "https://a.example"; "*" for all, None for pages of the same host.
            policy: what becomes of messages that a slow peer has no room for: "block", "drop-oldest", "conflate"
                or "close".
            deflate: compression to agree on with clients that offer it; None for none.
            limits: bounds; None for the server's.
            middleware: HTTP middleware around the opening handshake, outermost first.
            socket_middleware: around the handler, outermost first.
            name: for `url_for`.

        Raises:
            SetupError, RouteConflict: as `add`.
        """
        from ..websocket.endpoint import SocketEndpoint
        from ..websocket.origin import Origins
        from ..websocket.settings import SocketSettings

        settings = SocketSettings(policy=policy, limits=limits, deflate=deflate, subprotocols=subprotocols)

        def register(handler: H) -> H:
            endpoint = SocketEndpoint(handler, settings, Origins(origins), socket_middleware)
            self.add("GET", pattern, endpoint, name=name, middleware=middleware)
            return handler

        return register

    def use_websocket(self, layer: M) -> M:
        """Add socket middleware, innermost last: `async (socket, next)`. Return what was given.

        Raises:
            SetupError: no coroutine function.
        """
        from ..websocket.endpoint import SocketLayer

        self._layers.append(SocketLayer(layer))  # type: ignore[arg-type]
        return layer

    @overload
    def use(self, layer: R) -> R: ...

    @overload
    def use(self, layer: M) -> M: ...

    def use(self, layer: Any) -> Any:
        """Add middleware, innermost last, or mount a router at the root. Return what was given.

        Raises:
            SetupError: neither of both.
        """
        if isinstance(layer, Router):
            self.mount("", layer)
        elif callable(layer):
            self._layers.append(layer)
        else:
            raise SetupError(f"middleware must be callable, not {layer!r}")
        return layer

    def mount(self, prefix: str, router: Router) -> None:
        """Serve the routes of `router` below `prefix`, which may have parameters. Routes added later count too.

        Raises:
            SetupError: a malformed prefix, one with a catch-all, or a router that would contain itself.
            RouteConflict: a route that this router already has.
        """
        place = Pattern(prefix.removesuffix("/"))
        if place.segments and place.precedence[-1] == 5:
            raise SetupError(f"nothing can be mounted below a catch-all: {prefix!r}")
        if not isinstance(router, Router):
            raise SetupError(f"only a router can be mounted, not {router!r}")
        if self in router._reachable():
            raise SetupError("a router cannot contain itself")
        taken: dict[_Key, Route] = {}
        for below, _, route in router._walk(place, ()):
            _claim(taken, route, below, self._taken)
        self._taken.update(taken)
        self._entries.append((place, router))

    def group(self, prefix: str, *middleware: Any) -> Router:
        """Return a new router, mounted below `prefix`, with `middleware` around its routes."""
        router = Router()
        for layer in middleware:
            router.use(layer)
        self.mount(prefix, router)
        return router

    def url_for(self, name: str, **params: object) -> str:
        """Return the path of the route called `name`, of this router or one mounted on it.

        Raises:
            LookupError: no route is called so.
            ValueError: a parameter is missing, left over, or could not be matched.
        """
        for prefix, _, route in self._walk(Pattern(""), ()):
            if route.name == name:
                return route.pattern.under(prefix).format(params)
        raise LookupError(f"no route is called {name!r}")

    def compile(self, compose: Compose) -> RouteTable:
        """Return the table of every route below this router, its root.

        Args:
            compose: joins a handler and its middleware to an endpoint.

        Raises:
            SetupError: an empty pattern at the root, or routes that overlap in too many segments at once.
            RouteConflict: two routes of one method and pattern, or of one name.
        """
        taken: dict[_Key, Route] = {}
        for prefix, _, route in self._walk(Pattern(""), ()):
            _claim(taken, route, prefix)
        routes = [route.bound(prefix, layers, compose) for prefix, layers, route in self._walk(Pattern(""), ())]
        return RouteTable(routes, self._layers, compose)

    def _decorator(self, method: str, pattern: str, options: dict[str, Any]) -> Callable[[H], H]:
        def register(handler: H) -> H:
            self.add(method, pattern, handler, **options)
            return handler

        return register

    def _walk(self, prefix: Pattern, layers: tuple[Any, ...]) -> Iterator[tuple[Pattern, tuple[Any, ...], Route]]:
        layers = (*layers, *self._layers)
        for entry in self._entries:
            if isinstance(entry, Route):
                yield prefix, layers, entry
            else:
                place, router = entry
                yield from router._walk(place.under(prefix) if place.text else prefix, layers)

    def _reachable(self) -> Iterator[Router]:
        yield self
        for entry in self._entries:
            if not isinstance(entry, Route):
                yield from entry[1]._reachable()


def _claim(taken: dict[_Key, Route], route: Route, prefix: Pattern, before: Mapping[_Key, Route] | None = None) -> None:
    """Enter what `route` answers to into `taken`, where neither it nor `before` has it yet."""
    pattern = route.pattern.under(prefix)
    keys: list[_Key] = [(method, *pattern.shape) for method in route.methods]
    keys += [(None, route.name)] if route.name is not None else []
    for key in keys:
        holder = taken.get(key) or (before or {}).get(key)
        if holder is not None:
            what = f"the name {route.name!r}" if key[0] is None else f"{key[0]} {pattern.text!r}"
            raise RouteConflict(f"{what} is already taken, by {holder!r}")
    taken.update(dict.fromkeys(keys, route))
