"""Middleware around a handler: an onion, joined once.

Each layer is `async (request, response, next)` and awaits `next()` to go inwards; it may answer itself instead, look
at the answer afterwards and change it until the head leaves. Layers are joined at start-up, outermost first, into one
callable of `(request, response)`. A route without middleware has no layer at all: its handler is the endpoint.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from ..endpoint import Call, Handler, call_in_thread, is_coroutine_function
from ..errors import SetupError

if TYPE_CHECKING:
    from ..request import Request
    from ..response import Response

__all__ = ["Endpoint", "Middleware", "Next", "compose"]

Next: TypeAlias = Callable[[], Awaitable[None]]
Middleware: TypeAlias = "Callable[[Request, Response, Next], Any]"
Endpoint: TypeAlias = Callable[..., Any]


def compose(handler: Handler, call: Call, layers: Sequence[Middleware]) -> tuple[Endpoint, Call]:
    """Wrap `handler` in `layers`, the first of which is outermost.

    Returns:
        the endpoint and how it is called; without layers, the arguments themselves.
    """
    if not layers:
        return handler, call
    endpoint = _innermost(handler, call)
    for layer in reversed(layers):
        if not callable(layer):
            raise SetupError(f"middleware must be callable, not {layer!r}")
        endpoint = _wrap(layer, endpoint)
    return endpoint, Call.AWAIT_2


def _innermost(handler: Handler, call: Call) -> Endpoint:
    two = call & 1

    async def awaited(request: Request, response: Response) -> None:
        result = await (handler(request, response) if two else handler(request))
        if result is not None:
            response.take(result)

    async def threaded(request: Request, response: Response) -> None:
        result = await call_in_thread(handler, call, request, response)
        if result is not None:
            response.take(result)

    async def inlined(request: Request, response: Response) -> None:
        result = handler(request, response) if two else handler(request)
        if result is not None:
            response.take(result)

    return awaited if call <= Call.AWAIT_2 else threaded if call <= Call.THREAD_2 else inlined


def _wrap(layer: Middleware, inner: Endpoint) -> Endpoint:
    async def around(request: Request, response: Response) -> None:
        result = await layer(request, response, partial(inner, request, response))
        if result is not None:
            response.take(result)

    async def around_plain(request: Request, response: Response) -> None:
        result = layer(request, response, partial(inner, request, response))
        if inspect.isawaitable(result):
            result = await result
        if result is not None:
            response.take(result)

    return around if is_coroutine_function(layer) else around_plain
