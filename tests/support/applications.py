"""Fixtures that serve an application whole: over the memory transport, on virtual time, by each engine."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from highper_core import available
from highper_http.testing import TestClient, run

__all__ = ["Serve", "engine", "serve"]

Serve = Callable[[Any, Callable[[TestClient], Coroutine[Any, Any, None]]], None]


@pytest.fixture(params=["portable", "fast"])
def engine(request: pytest.FixtureRequest) -> str:
    """Name of an engine: the test runs once with each that can be used."""
    reason = available()[request.param]
    if reason is not None:
        pytest.skip(reason)
    return str(request.param)


@pytest.fixture
def serve(engine: str) -> Serve:
    """Serve an app and run a coroutine function with its client."""

    def serve(app: Any, main: Callable[[TestClient], Coroutine[Any, Any, None]], **options: Any) -> None:
        async def whole() -> None:
            async with TestClient(app, engine=engine, **options) as client:
                await main(client)

        run(whole)

    return serve
