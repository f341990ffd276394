"""One handler behind a dispatcher, its exchange recorded and its task stepped by hand."""

from __future__ import annotations

from contextvars import copy_context
from typing import Any

import pytest
from fake_exchange import FakeExchange, FakeTransport

from highper_core.limits import Limits
from highper_core.pool import ContextPool
from highper_http import Request, Response, Router, dispatch
from highper_http.dispatch import Dispatcher
from highper_http.middleware import compose

__all__ = ["Cancelled", "Pending", "Served", "ask", "cancellation", "raising"]


class Cancelled(BaseException):
    """What a task is cancelled with."""


@pytest.fixture(autouse=True)
def cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The framework that runs the tasks cancels them with `Cancelled`."""
    monkeypatch.setattr(dispatch, "get_cancelled_exc_class", lambda: Cancelled)


class Served:
    """One handler behind a dispatcher."""

    def __init__(
        self, handler: Any, *layers: Any, debug: bool = False, make_request: Any = None, **options: Any
    ) -> None:
        router = Router()
        for layer in layers:
            router.use(layer)
        router.add("*", "/*path", handler, **options)
        self.transport = FakeTransport()
        self.pool = ContextPool(make_request or (lambda: Request(Limits())), Response)
        self.dispatcher = Dispatcher(
            router.compile(compose), self.transport, self.pool, copy_context(), debug=debug, access_log=True
        )

    def ask(self, exchange: FakeExchange | None = None) -> FakeExchange:
        exchange = exchange or FakeExchange(b"GET", b"/a")
        self.dispatcher.begin(exchange)
        return exchange

    @property
    def task(self) -> Any:
        return self.transport.tasks[-1]


class Pending:
    """Something to wait for."""

    def __await__(self) -> Any:
        yield self


def ask(handler: Any, *layers: Any, exchange: FakeExchange | None = None, **options: Any) -> FakeExchange:
    """Return the exchange of a handler's only request, as far as it comes without waiting."""
    return Served(handler, *layers, **options).ask(exchange)


def raising(error: BaseException) -> Any:
    """A handler that raises."""

    async def handler(req: Any) -> None:
        raise error

    return handler
