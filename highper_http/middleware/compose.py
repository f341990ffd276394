# cython: annotation_typing=False
"""Middleware around a handler: an onion, joined once.

Each layer is `async (request, response, next)` and awaits `next()` to go inwards; it may answer itself instead, look
at the answer afterwards and change it until the head leaves. Layers are joined at start-up, outermost first, into one
callable of `(request, response)`. A route without middleware has no layer at all: its handler is the endpoint.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from highper_core._spares import keep_spares

from ..around import Around
from ..endpoint import Call, Handler, call_in_thread, is_coroutine_function
from ..errors import SetupError

if TYPE_CHECKING:
    from ..request import Request
    from ..response import Response

__all__ = ["Endpoint", "Middleware", "Next", "compose"]

Next: TypeAlias = Callable[[], Awaitable[None]]
Middleware: TypeAlias = "Callable[[Request, Response, Next], Any]"
Endpoint: TypeAlias = Callable[..., Any]

AWAIT_1, AWAIT_2, INLINE_1 = int(Call.AWAIT_1), int(Call.AWAIT_2), int(Call.INLINE_1)


def compose(handler: Handler, call: Call, layers: Sequence[Middleware]) -> tuple[Endpoint, Call]:
    """Wrap `handler` in `layers`, the first of which is outermost.

    Returns:
        the endpoint and how it is called; without layers, the arguments themselves.
    """
    if not layers:
        return handler, call
    for layer in layers:
        if not callable(layer):
            raise SetupError(f"middleware must be callable, not {layer!r}")
    return _Onion(handler, call, layers), Call.AWAIT_2


class _Onion:
    """The endpoint of a route with middleware."""

    __slots__ = ("layers", "awaits", "handler", "call")

    def __init__(self, handler: Handler, call: int, layers: Sequence[Middleware]) -> None:
        self.layers = tuple(layers)
        self.awaits = tuple([is_coroutine_function(layer) for layer in layers])
        self.handler = handler
        self.call: int = call

    def __call__(self, request: Request, response: Response) -> _Run:
        return _run(self, 0, request, response)


class _Run(Around):
    """An onion's run from one layer inwards. It is its own `next`, of which every call is a run."""

    __slots__ = ("_onion", "_depth", "_request", "_response", "_called")

    _onion: _Onion
    _depth: int
    _request: Any
    _response: Any
    _called: bool

    def __call__(self) -> _Run:
        if not self._called:
            self._called = True
            return self
        return _run(self._onion, self._depth, self._request, self._response)

    def _begin(self) -> Any:
        if self._depth == len(self._onion.layers):
            return self._begin_handler()
        return self._begin_layer()

    def _begin_layer(self) -> Any:
        onion, depth = self._onion, self._depth
        inwards = _run(onion, depth + 1, self._request, self._response)
        result = onion.layers[depth](self._request, self._response, inwards)
        return result if onion.awaits[depth] or inspect.isawaitable(result) else self._take(result)

    def _begin_handler(self) -> Any:
        handler, call = self._onion.handler, self._onion.call
        if call == AWAIT_1:
            return handler(self._request)
        if call == AWAIT_2:
            return handler(self._request, self._response)
        if call < INLINE_1:
            return call_in_thread(handler, call, self._request, self._response)
        return self._take(handler(self._request) if call == INLINE_1 else handler(self._request, self._response))

    def _take(self, result: Any) -> Any:
        """Answer with `result`; nothing is left to await."""
        self._returned(result)
        return self

    def _returned(self, outcome: Any) -> Any:
        if outcome is not None:
            self._response.take(outcome)
        return None

    def _raised(self, error: BaseException) -> None:
        self._end()
        raise error

    def _end(self) -> None:
        """Let go of the record, which may be used again; an inner run may be asked for another."""
        if not self._depth:
            self._request = self._response = None


def _run(onion: _Onion, depth: int, request: Any, response: Any) -> _Run:
    run = _Run.__new__(_Run)
    run._be_new()
    run._onion = onion
    run._depth = depth
    run._request = request
    run._response = response
    run._called = False
    return run


keep_spares(_Run)
