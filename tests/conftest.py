"""Fixtures every test directory shares."""

from __future__ import annotations

import gc
import os

import pytest

from highper_core import available
from highper_transports import registry

_FAST_DEMANDED = os.environ.get("HIGHPER_ENGINE") == "fast"

# where the epoll transport is not built; a run that demands the fast engine demands it too
collect_ignore_glob = (
    []
    if _FAST_DEMANDED or registry.why_not("epoll") is None
    else [
        "transports/test_epoll*.py",
        "transports/test_secure*.py",
        "torture/test_*kernel.py",
        "torture/test_*epoll.py",
    ]
)


def pytest_collection_finish() -> None:
    """Take what was collected, which outlives every test, out of the garbage collector's sight: tests ask it often."""
    gc.collect()
    gc.freeze()


def _engines() -> list[str]:
    """Names of the engines that can be used; an extension-free build has no fast one, unless it was demanded."""
    return [name for name, reason in available().items() if reason is None or (name == "fast" and _FAST_DEMANDED)]


@pytest.fixture(params=_engines())
def engine_name(request: pytest.FixtureRequest) -> str:
    """Name of an engine: the test runs once with each."""
    name: str = request.param
    return name
