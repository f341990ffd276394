"""What is kept of dead objects is memory, and nothing of what was in it."""

from __future__ import annotations

import gc
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from highper_core import _spares
from highper_core._spares import keep_spares, spares
from highper_core.events import Data, Request

needs_compiled = pytest.mark.skipif(
    str(_spares.__file__).endswith(".py"), reason="classes in Python are the interpreter's own affair"
)


def drain() -> list[Data]:
    """Return so many that no spare is left."""
    return [Data(b"") for _ in range(100)]


@needs_compiled
def test_the_next_object_is_made_of_the_last_that_died() -> None:
    held = drain()
    assert spares(Data) == 0
    held.pop()
    assert spares(Data) == 1
    held.append(Data(b"next"))
    assert spares(Data) == 0
    assert held[-1].data == b"next"


@needs_compiled
def test_no_more_is_kept_than_a_bound() -> None:
    held = [Data(b"") for _ in range(1000)]
    held.clear()
    assert spares(Data) == 64


@needs_compiled
def test_nothing_of_the_dead_is_left() -> None:
    content = bytearray(b"secret")
    held = drain()
    held.append(Data(content))  # type: ignore[arg-type]
    held.pop()
    bare = Data.__new__(Data)
    assert bare.data != content
    del bare, held
    assert gc.is_tracked(Request(method=b"GET", target=b"/", headers=[(b"host", b"a")]))


@needs_compiled
def test_an_object_made_of_a_spare_is_collected_from_a_cycle() -> None:
    deaths: list[str] = []

    class Dying(list[object]):
        def __del__(self) -> None:
            deaths.append("dead")

    for _ in range(3):  # the second and third are made of the first
        cycle = Dying()
        cycle.append(Data(b""))
        made = Request(method=b"GET", target=b"/", headers=[(b"host", b"a")])
        cycle += [made, cycle]
        del cycle, made
        gc.collect()
    assert deaths == ["dead"] * 3


@needs_compiled
def test_a_subclass_is_the_allocators() -> None:
    class Own(Data):
        pass

    before = spares(Data)
    made = [Own(b"x") for _ in range(10)]
    assert made[0].data == b"x"
    made.clear()
    assert (spares(Data), spares(Own)) == (before, 0)


def test_a_class_in_python_is_refused() -> None:
    class Plain:
        pass

    assert not keep_spares(Plain)
    assert spares(Plain) == 0


def test_where_it_is_not_built_nothing_is_kept() -> None:
    plain = in_python()
    assert plain.keep_spares(Data) is False
    assert plain.spares(Data) == 0


def in_python() -> ModuleType:
    """Return the module as it is where nothing is compiled."""
    path = Path(_spares.__file__).with_name("_spares.py")
    spec = importlib.util.spec_from_file_location("highper_core.plain_spares", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
