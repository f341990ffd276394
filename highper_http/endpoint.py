"""How a handler is called, decided once.

A handler is any callable that takes `(request)` or `(request, response)`: function, partial, bound method, object
with `__call__`. How it is called is decided here, when its route is registered, and kept as a `Call`: the request
path looks at one small integer and never at a signature.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import IntEnum
from functools import partial
from typing import Any, TypeAlias

from .errors import SetupError
from .threads import run_in_thread

__all__ = ["Call", "Handler", "inspect_handler", "is_coroutine_function", "call_in_thread"]

Handler: TypeAlias = Callable[..., Any]


class Call(IntEnum):
    """How an endpoint is called. Even: with the request alone; odd: with request and response."""

    AWAIT_1 = 0  # a coroutine function
    AWAIT_2 = 1
    THREAD_1 = 2  # a plain function, in a worker thread
    THREAD_2 = 3
    INLINE_1 = 4  # a plain function that never blocks, in place
    INLINE_2 = 5


def inspect_handler(handler: Handler, *, inline: bool = False) -> Call:
    """Return how `handler` is called.

    Args:
        handler: the application's callable.
        inline: a plain function runs in place instead of in a worker thread.

    Raises:
        SetupError: it cannot be called with (request) or (request, response), or `inline` is asked of a coroutine
            function.
    """
    if not callable(handler):
        raise SetupError(f"a handler must be callable, not {handler!r}")
    awaits = is_coroutine_function(handler)
    if _is_generator_function(handler):
        raise SetupError(
            f"{_name(handler)} is a generator: a handler sends pieces in `async with res.stream() as send`"
        )
    if awaits and inline:
        raise SetupError(f"inline=True is for plain functions, and {_name(handler)} is a coroutine function")
    kind = Call.AWAIT_1 if awaits else Call.INLINE_1 if inline else Call.THREAD_1
    return Call(kind + _arity(handler) - 1)


def is_coroutine_function(handler: Handler) -> bool:
    """Return whether calling `handler` makes a coroutine."""
    while isinstance(handler, partial):
        handler = handler.func
    marked = getattr(handler, "_is_coroutine", None) is not None  # how compiled functions say it
    return marked or inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)


def _is_generator_function(handler: Handler) -> bool:
    while isinstance(handler, partial):
        handler = handler.func
    return inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler)


async def call_in_thread(handler: Handler, call: int, request: Any, response: Any) -> Any:
    """Call a plain `handler` in a worker thread and return what it returns, awaited if it is awaitable."""
    if call & 1:
        result = await run_in_thread(handler, request, response)
    else:
        result = await run_in_thread(handler, request)
    return await result if inspect.isawaitable(result) else result


def _name(handler: Handler) -> str:
    return getattr(handler, "__qualname__", None) or repr(handler)


def _arity(handler: Handler) -> int:
    try:
        parameters = list(inspect.signature(handler).parameters.values())
    except (TypeError, ValueError) as error:
        raise SetupError(f"the signature of handler {_name(handler)} cannot be read: {error}") from error
    required = 0
    second = None
    position = 0
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            return 2
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            raise SetupError(f"handler {_name(handler)} demands the keyword {parameter.name!r}, which nobody passes")
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            position += 1
            second = parameter.name if position == 2 else second
            required += parameter.default is parameter.empty
    if position == 0 or required > 2:
        raise SetupError(f"handler {_name(handler)} must take (request) or (request, response)")
    return 2 if required == 2 or second in ("res", "response") else 1
