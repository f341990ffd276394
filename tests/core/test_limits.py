"""Bounds and their defaults."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from highper_core.limits import Limits


@pytest.mark.parametrize("name", [field.name for field in fields(Limits) if field.type != "bool"])
def test_no_bound_is_negative(name: str) -> None:
    """And the text names the one that is."""
    with pytest.raises(ValueError, match=f"Limits.{name} must not be negative: -1"):
        Limits(**{name: -1})


def test_water_marks() -> None:
    """The low one is below the high one."""
    with pytest.raises(ValueError, match="write_low_water"):
        Limits(write_low_water=2, write_high_water=1)
    assert Limits(write_low_water=1, write_high_water=1).write_low_water == 1


def test_immutable() -> None:
    """Connections share one."""
    with pytest.raises(FrozenInstanceError):
        Limits().fields = 5  # type: ignore[misc]


def test_defaults_bound_every_phase() -> None:
    """No time is unlimited; streamed content alone has no bound of size."""
    assert [field.name for field in fields(Limits) if getattr(Limits(), field.name) is None] == ["content"]
