"""Every engine keeps the published promises, and the check notices when one does not."""

from __future__ import annotations

import pytest

from highper_core import Connection, Role, engine
from highper_core.engines import Engine
from highper_core.limits import Limits
from highper_core.testing import check_http_engine


def test_every_engine_keeps_them(engine_name: str) -> None:
    """The one list of promises holds."""
    assert "reads_the_same_however_cut" in check_http_engine(engine(engine_name))


def test_a_broken_promise_is_named() -> None:
    """An engine whose connection forgets to pause is found out, and told which promise it broke."""

    class Careless(engine("portable").http_connection):  # type: ignore[misc]
        @property
        def is_resting(self) -> bool:
            return False

    class CarelessEngine(Engine):
        __slots__ = ()

        def http(self, role: Role, limits: Limits) -> Connection:
            made: Connection = Careless(role, limits)
            return made

    with pytest.raises(AssertionError) as caught:
        check_http_engine(CarelessEngine("careless", Careless))
    assert "'starts_at_rest'" in caught.value.__notes__[0]
