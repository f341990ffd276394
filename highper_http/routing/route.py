"""A route: what is called for a method and a pattern, with everything start-up could prepare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from highper_core.grammar import is_token

from ..endpoint import Call, Handler, inspect_handler
from ..errors import SetupError
from .pattern import Pattern

__all__ = ["ANY", "Compose", "Match", "Route"]

ANY = "*"  # the method of a route that takes every method

Compose: TypeAlias = "Callable[[Handler, Call, Sequence[Any]], tuple[Callable[..., Any], Call]]"
Match: TypeAlias = "tuple[Route, tuple[Any, ...]]"


class Route:
    """A handler at a pattern.

    `endpoint` is what a request is given to: the handler with its middleware around it. It, and `call`, which says
    how it is called, are final once the router was compiled. `captures` are the places and kinds of the parameters,
    in the order of `names`; `label` is what its tasks are called. All of it is read only.

    Args:
        methods: tokens; `ANY` for every method.
        pattern: what the path looks like.
        handler: the application's callable.
        name: for `url_for`.
        layers: middleware, outermost first.
        inline: a plain handler runs in place.
        cancel_on_disconnect: the handler is cancelled when the client vanished.
        max_body: bytes of content the handler takes; None for the server's limit.

    Raises:
        SetupError: a malformed method, or a handler that cannot be called.
    """

    __slots__ = (
        "methods",
        "pattern",
        "handler",
        "name",
        "layers",
        "inline",
        "cancel_on_disconnect",
        "max_body",
        "call",
        "endpoint",
        "path",
        "names",
        "captures",
        "match",
        "label",
    )

    def __init__(
        self,
        methods: Sequence[str],
        pattern: Pattern,
        handler: Handler,
        *,
        name: str | None = None,
        layers: Sequence[Any] = (),
        inline: bool = False,
        cancel_on_disconnect: bool = True,
        max_body: int | None = None,
    ) -> None:
        for method in methods:
            if method != ANY and not is_token(method.encode("utf-8", "replace")):
                raise SetupError(f"not a method: {method!r}")
        if not methods or len(set(methods)) < len(methods):
            raise SetupError(f"a route takes one or more methods, each once: {list(methods)!r}")
        self.methods = tuple(methods)
        self.pattern = pattern
        self.handler = handler
        self.name = name
        self.layers = tuple(layers)
        self.inline = inline
        self.cancel_on_disconnect = cancel_on_disconnect
        self.max_body = max_body
        self.call: int = inspect_handler(handler, inline=inline)
        self.endpoint: Callable[..., Any] = handler
        self.path = pattern.text
        self.names = pattern.names
        self.captures = tuple(
            [(index + 1, int(segment.kind)) for index, segment in enumerate(pattern.segments) if segment.name]
        )
        self.match: Match = (self, ())  # what a match without parameters is, made once
        self.label = f"{' '.join(self.methods)} {self.path or '-'}"

    def bound(self, prefix: Pattern, layers: Sequence[Any], compose: Compose) -> Route:
        """Return this route as it is reached: below `prefix`, with `layers` around its own, composed."""
        route = Route(
            self.methods,
            self.pattern.under(prefix),
            self.handler,
            name=self.name,
            layers=(*layers, *self.layers),
            inline=self.inline,
            cancel_on_disconnect=self.cancel_on_disconnect,
            max_body=self.max_body,
        )
        if not route.path:
            raise SetupError("an empty pattern is the place a router is mounted at; at the root it names nothing")
        route.endpoint, route.call = compose(route.handler, Call(route.call), route.layers)
        return route

    @staticmethod
    def prepared(handler: Handler, layers: Sequence[Any], compose: Compose, names: tuple[str, ...] = ()) -> Route:
        """Return a route outside every pattern: an answer that a table holds ready, with parameters of these names."""
        route = Route((ANY,), Pattern(""), handler, layers=layers, inline=True)
        route.names = names
        route.endpoint, route.call = compose(handler, Call(route.call), route.layers)
        return route

    def __repr__(self) -> str:
        return f"Route({self.label})"
