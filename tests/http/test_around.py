"""A coroutine around another is a coroutine: to asyncio, to `await`, and to whoever drives one by hand."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import sys
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from fake_exchange import FakeExchange

import highper_http
from highper_core.limits import Limits
from highper_core.pool import ContextPool
from highper_http import Request, Response, Router, around
from highper_http.dispatch import Dispatcher
from highper_http.endpoint import Call
from highper_http.middleware import compose


def plain(name: str) -> ModuleType:
    """Return a module's Python source, also where it was compiled."""
    path = Path(highper_http.__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"highper_http._plain_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["as built", "plain"])
def around_class(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "as built":
        return around.Around
    monkeypatch.setitem(sys.modules, "highper_http._native", plain("_native"))
    return plain("around").Around


def make(around_class: Any, begin: Callable[[], Any], *, swallow: bool = False) -> Any:
    class Noting(around_class):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.log: list[Any] = []

        def _begin(self) -> Any:
            return begin()

        def _returned(self, outcome: Any) -> Any:
            self.log.append(outcome)

        def _raised(self, error: BaseException) -> None:
            self.log.append(type(error))
            if not swallow:
                raise error

        def _end(self) -> None:
            self.log.append("end")

    return Noting()


async def pause(value: Any = "done") -> Any:
    await asyncio.sleep(0)
    return value


def test_asyncio_takes_it_for_a_coroutine(around_class: Any) -> None:
    made = make(around_class, pause)
    assert asyncio.iscoroutine(made)
    assert inspect.isawaitable(made)
    made.close()


def test_a_task_runs_it_to_its_end(around_class: Any) -> None:
    async def main() -> list[Any]:
        made = make(around_class, pause)
        await asyncio.Task(made)
        assert made.is_over
        return made.log  # type: ignore[no-any-return]

    assert asyncio.run(main()) == ["done", "end"]


def test_it_can_be_awaited(around_class: Any) -> None:
    async def main() -> list[Any]:
        made = make(around_class, pause)
        assert await made is None
        return made.log  # type: ignore[no-any-return]

    assert asyncio.run(main()) == ["done", "end"]


def test_any_awaitable_may_be_inside(around_class: Any) -> None:
    async def main() -> list[Any]:
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, 7)
        made = make(around_class, lambda: future)
        await made
        return made.log  # type: ignore[no-any-return]

    assert asyncio.run(main()) == [7, "end"]


def test_what_cannot_be_awaited_is_refused(around_class: Any) -> None:
    made = make(around_class, lambda: None)
    with pytest.raises(TypeError):
        made.send(None)
    assert made.log == [TypeError]


def test_a_cancellation_reaches_the_inner_coroutine(around_class: Any) -> None:
    seen = []

    async def inner() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def main() -> list[Any]:
        made = make(around_class, inner)
        task = asyncio.Task(made)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return made.log  # type: ignore[no-any-return]

    assert asyncio.run(main()) == [asyncio.CancelledError]
    assert seen == ["cancelled"]


def test_a_cancellation_before_the_first_step_is_told_too(around_class: Any) -> None:
    """An `async def` would never know of it, and could put nothing away."""

    async def main() -> list[Any]:
        made = make(around_class, pause)
        task = asyncio.Task(made)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return made.log  # type: ignore[no-any-return]

    assert asyncio.run(main()) == [asyncio.CancelledError]


def test_a_swallowed_cancellation_goes_on(around_class: Any) -> None:
    """What the inner coroutine catches, it alone decides on."""

    async def inner() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return "after"

    async def main() -> list[Any]:
        made = make(around_class, inner)
        task = asyncio.Task(made)
        await asyncio.sleep(0)
        task.cancel()
        await task
        return made.log  # type: ignore[no-any-return]

    assert asyncio.run(main()) == ["after", "end"]


def test_an_error_may_end_it_quietly(around_class: Any) -> None:
    async def inner() -> None:
        raise ValueError

    made = make(around_class, inner, swallow=True)
    with pytest.raises(StopIteration):
        made.send(None)
    assert made.log == [ValueError]
    assert made.is_over


def test_closing_ends_the_inner_coroutine(around_class: Any) -> None:
    made = make(around_class, pause)
    made.send(None)
    inner = made.inner
    made.close()
    made.close()
    assert made.log == [GeneratorExit]
    assert inspect.getcoroutinestate(inner) == inspect.CORO_CLOSED


def test_it_is_stepped_by_one_and_run_once(around_class: Any) -> None:
    async def inner() -> None:
        with pytest.raises(RuntimeError):
            made.send(None)

    made = make(around_class, inner)
    with pytest.raises(StopIteration):
        made.send(None)
    with pytest.raises(RuntimeError):
        made.send(None)


def test_debuggers_see_the_inner_coroutine(around_class: Any) -> None:
    async def main() -> None:
        made = make(around_class, pause)
        task = asyncio.Task(made)
        await asyncio.sleep(0)
        frames = task.get_stack()
        assert [frame.f_code.co_name for frame in frames] == ["pause"]
        assert made.cr_await is made.inner
        assert not made.cr_running
        assert "coro=" in repr(task)
        await task

    asyncio.run(main())


def test_never_awaited_costs_no_warning(around_class: Any) -> None:
    """There is no inner coroutine before the first step, so none is left behind."""
    begun: list[int] = []
    make(around_class, lambda: begun.append(1))
    assert begun == []


def test_a_layer_may_try_again() -> None:
    """Each call of `next` is a run of its own."""
    calls = []

    async def handler(request: Any, response: Any) -> None:
        calls.append(len(calls))
        if len(calls) == 1:
            raise ValueError
        response.text("second")

    async def retry(request: Any, response: Any, following: Callable[[], Awaitable[None]]) -> None:
        try:
            await following()
        except ValueError:
            await following()

    async def main() -> Response:
        request, response = Request(SimpleNamespace()), Response()  # type: ignore[arg-type]
        endpoint, call = compose(handler, Call.AWAIT_2, [retry])
        assert call is Call.AWAIT_2
        await endpoint(request, response)
        return response

    assert asyncio.run(main())._content == b"second"
    assert calls == [0, 1]


def test_what_a_layer_returns_is_the_answer() -> None:
    async def handler(request: Any) -> str:
        return "inner"

    async def passing(request: Any, response: Any, following: Callable[[], Awaitable[None]]) -> None:
        await following()

    def plain(request: Any, response: Any, following: Any) -> str:
        return "outer"

    async def main(*layers: Any) -> bytes:
        response = Response()
        await compose(handler, Call.AWAIT_1, layers)[0](None, response)
        return response._content

    assert asyncio.run(main(passing, passing)) == b"inner"
    assert asyncio.run(main(passing, plain)) == b"outer"


def test_the_exchange_of_a_request_cancelled_before_it_began_is_closed() -> None:
    """Where a task is not started at once its cancellation may come first."""

    async def handler(request: Any) -> str:
        return "never"

    async def main() -> FakeExchange:
        class Scheduling:
            def now(self) -> float:
                return 0.0

            def spawn(self, coroutine: Any, context: Any, name: str | None = None) -> Any:
                return asyncio.Task(coroutine, context=context, name=name)

        router = Router()
        router.add("GET", "/", handler)
        pool = ContextPool(lambda: Request(Limits()), Response)
        dispatcher = Dispatcher(router.compile(compose), Scheduling(), pool, copy_context(), access_log=False)  # type: ignore[arg-type]
        exchange = FakeExchange()
        dispatcher.begin(exchange)
        assert exchange.task.get_name() == "GET /"
        exchange.disconnected = True
        exchange.task.cancel()
        await asyncio.wait([exchange.task])
        return exchange

    exchange = asyncio.run(main())
    assert (exchange.closed, exchange.aborted, exchange.complete) == (1, True, False)
