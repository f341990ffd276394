"""Bounds and their defaults."""

from __future__ import annotations

import pickle

import pytest

from highper_core.limits import Limits


@pytest.mark.parametrize("name", [name for name in Limits.__slots__ if name != "half_close"])
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
    with pytest.raises(AttributeError, match="immutable"):
        Limits().fields = 5
    with pytest.raises(AttributeError, match="immutable"):
        del Limits().fields


def test_variants() -> None:
    """`replace` changes what it names, and checks it; equal bounds are equal limits."""
    variant = Limits(head=5).replace(fields=7)
    assert (variant.head, variant.fields, variant.idle_timeout) == (5, 7, Limits().idle_timeout)
    assert variant == Limits(head=5, fields=7)
    assert hash(variant) == hash(Limits(head=5, fields=7))
    assert variant != Limits(head=5)
    assert variant != (5, 7)
    with pytest.raises(ValueError, match="fields must not be negative"):
        variant.replace(fields=-1)


def test_as_text_and_across_processes() -> None:
    """What differs from the defaults is shown; a pickled one is the same."""
    assert repr(Limits()) == "Limits()"
    assert repr(Limits(head=5, content=9)) == "Limits(head=5, content=9)"
    assert pickle.loads(pickle.dumps(Limits(head=5))) == Limits(head=5)


def test_defaults_bound_every_phase() -> None:
    """Streamed content has no bound of size, nor has a frame within its message; a WebSocket may stay idle."""
    unbounded = [name for name in Limits.__slots__ if getattr(Limits(), name) is None]
    assert unbounded == ["content", "websocket_frame", "websocket_idle_timeout"]
