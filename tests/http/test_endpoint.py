"""How handlers are called, and how middleware is wrapped around them."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from highper_http.endpoint import Call, inspect_handler
from highper_http.errors import SetupError
from highper_http.middleware import compose


class Resource:
    async def show(self, req: Any) -> None: ...

    def list(self, req: Any, res: Any) -> None: ...

    @staticmethod
    async def static(req: Any, res: Any) -> None: ...


class Plain:
    def __call__(self, req: Any) -> None: ...


class Awaited:
    async def __call__(self, req: Any, res: Any) -> None: ...


async def one(req: Any) -> None: ...
async def two(req: Any, res: Any) -> None: ...
async def optional(req: Any, res: Any = None) -> None: ...
async def setting(req: Any, limit: int = 3) -> None: ...
async def anything(*args: Any) -> None: ...
async def with_database(database: Any, req: Any) -> None: ...
async def keyword(req: Any, *, database: Any) -> None: ...
def plain(req: Any) -> None: ...
def none() -> None: ...
def three(a: Any, b: Any, c: Any) -> None: ...


@pytest.mark.parametrize(
    ("handler", "call"),
    [
        (one, Call.AWAIT_1),
        (two, Call.AWAIT_2),
        (optional, Call.AWAIT_2),
        (setting, Call.AWAIT_1),
        (anything, Call.AWAIT_2),
        (functools.partial(with_database, object()), Call.AWAIT_1),
        (functools.partial(keyword, database=object()), Call.AWAIT_1),
        (functools.partial(functools.partial(with_database, 1)), Call.AWAIT_1),
        (Resource().show, Call.AWAIT_1),
        (Resource().list, Call.THREAD_2),
        (Resource.static, Call.AWAIT_2),
        (Plain(), Call.THREAD_1),
        (Awaited(), Call.AWAIT_2),
        (lambda req: None, Call.THREAD_1),
    ],
)
def test_arity_is_read_from_any_callable(handler: Any, call: Call) -> None:
    """Functions, partials, methods and callable objects are all handlers."""
    assert call is inspect_handler(handler)


def test_inline_is_for_plain_functions() -> None:
    """`inline=True` runs a plain function in place; a coroutine function is refused."""
    assert Call.INLINE_1 is inspect_handler(plain, inline=True)
    with pytest.raises(SetupError, match="plain functions"):
        inspect_handler(one, inline=True)


@pytest.mark.parametrize("handler", [none, three, keyword, 7, None])
def test_uncallable_handlers_are_refused_at_registration(handler: Any) -> None:
    """What cannot be called with (request) or (request, response) is no handler."""
    with pytest.raises(SetupError):
        inspect_handler(handler)


def test_no_layers_no_wrapping() -> None:
    """A route without middleware runs its handler itself."""
    assert (one, Call.AWAIT_1) == compose(one, Call.AWAIT_1, [])


def run(coroutine: Any) -> Any:
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


class Taker:
    def __init__(self) -> None:
        self.taken: list[Any] = []

    def take(self, value: Any) -> None:
        self.taken.append(value)


def test_the_first_layer_is_outermost() -> None:
    """Layers run in order on the way in and backwards on the way out."""
    seen: list[str] = []

    def layer(name: str) -> Any:
        async def around(req: Any, res: Any, next: Any) -> None:
            seen.append(f"{name} in")
            await next()
            seen.append(f"{name} out")

        return around

    async def handler(req: Any) -> str:
        seen.append("handler")
        return "answer"

    endpoint, call = compose(handler, Call.AWAIT_1, [layer("a"), layer("b")])
    taker = Taker()
    assert Call.AWAIT_2 is call
    run(endpoint(None, taker))
    assert seen == ["a in", "b in", "handler", "b out", "a out"]
    assert taker.taken == ["answer"]


def test_a_layer_may_answer_itself() -> None:
    """A layer that does not go inwards answers in the handler's place, by value too; it may be a plain function."""

    def closed(req: Any, res: Any, next: Any) -> str:
        return "closed"

    endpoint, _ = compose(plain, Call.INLINE_1, [closed])
    taker = Taker()
    run(endpoint(None, taker))
    assert taker.taken == ["closed"]


async def pieces(req: Any) -> Any:
    yield "a"


def more_pieces(req: Any) -> Any:
    yield "a"


@pytest.mark.parametrize("handler", [pieces, more_pieces, functools.partial(pieces)])
def test_a_generator_is_no_handler(handler: Any) -> None:
    """It is refused where it is registered, and told how to stream."""
    with pytest.raises(SetupError, match="async with"):
        inspect_handler(handler)
