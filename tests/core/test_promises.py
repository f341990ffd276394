"""Every engine keeps the published promises, and the check notices when one does not."""

from __future__ import annotations

import pytest

from highper_core import Connection, engine
from highper_core.engines import Engine
from highper_core.engines.portable.http import PortableHttpConnection as PORTABLE
from highper_core.testing import check_http_engine


def test_every_engine_keeps_them(engine_name: str) -> None:
    """The one list of promises holds."""
    assert "reads_the_same_however_cut" in check_http_engine(engine(engine_name))


class _NeverRests(PORTABLE):
    @property
    def is_resting(self) -> bool:
        return False


class _ForgivesMisuse(PORTABLE):
    def start_next_cycle(self) -> None:
        pass


class _KeepsSecrets(PORTABLE):
    @property
    def trailing_data(self) -> tuple[bytes, bool]:
        raise RuntimeError


@pytest.mark.parametrize(
    ("cls", "error", "promise"),
    [
        (_NeverRests, AssertionError, "starts_at_rest"),
        (_ForgivesMisuse, AssertionError, "pauses_between_requests"),
        (_KeepsSecrets, RuntimeError, "provides_the_interfaces"),
    ],
)
def test_a_broken_promise_is_named(cls: type[Connection], error: type[Exception], promise: str) -> None:
    """An engine that breaks one is told which."""
    with pytest.raises(error) as caught:
        check_http_engine(Engine("careless", cls))
    assert f"{promise!r}" in caught.value.__notes__[0]
