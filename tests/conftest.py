"""Fixtures every test directory shares."""

from __future__ import annotations

import os

import pytest

from highper_core import available

_FAST_DEMANDED = os.environ.get("HIGHPER_ENGINE") == "fast"


def _engines() -> list[str]:
    """Names of the engines that can be used; an extension-free build has no fast one, unless it was demanded."""
    return [name for name, reason in available().items() if reason is None or (name == "fast" and _FAST_DEMANDED)]


@pytest.fixture(params=_engines())
def engine_name(request: pytest.FixtureRequest) -> str:
    """Name of an engine: the test runs once with each."""
    name: str = request.param
    return name
