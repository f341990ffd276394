"""The pool of request records: nothing is reused that somebody holds, and nothing of a request survives in a record."""

from __future__ import annotations

import contextvars
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from highper_core import _references
from highper_core.context import Locals, Part, RequestContext
from highper_core.pool import ContextPool

guarded = pytest.mark.skipif(
    str(_references.__file__).endswith(".py"), reason="the guard is not built, so nothing is reused"
)


class Half(Part):
    """Stands for a request or response of the layer above."""

    __slots__ = ("detached", "value")

    def __init__(self) -> None:
        self.value: object = None
        self.detached = False

    def _detach(self) -> None:
        self.detached = True

    def _reset(self) -> None:
        self.value = None
        self.detached = False


def pool(size: int = 100) -> ContextPool:
    return ContextPool(Half, Half, size)


def slots(context: RequestContext) -> dict[str, Any]:
    """Return every attribute of a record, found by reflection."""
    names = [name for name in dir(context) if not name.startswith("_") and not callable(getattr(type(context), name))]
    found = {name: getattr(context, name) for name in names}
    return {name: value for name, value in found.items() if not callable(value)}


def test_reset_clears_every_slot() -> None:
    """After `reset` each slot of a record is what it was when newly made."""
    fresh, used = RequestContext(Half(), Half()), RequestContext(Half(), Half())
    assert set(slots(used)) >= {"id", "request", "response", "locals", "connection", "exchange", "task", "variables"}
    for name in slots(used):
        if name not in ("request", "response", "locals"):
            setattr(used, name, 7)
    used.request.value = used.response.value = used.locals.user = "somebody"
    used.reset()
    for name, value in slots(fresh).items():
        if name in ("request", "response"):
            assert getattr(used, name).value is None
        elif name == "locals":
            assert len(used.locals) == 0
        else:
            assert getattr(used, name) == value, name


def test_detach_cuts_what_outlives_the_request() -> None:
    """`detach` drops connection, exchange, task and variables, and has the parts do the same."""
    context = RequestContext(Half(), Half())
    context.connection = context.exchange = context.task = object()
    context.variables = contextvars.copy_context()
    context.detach()
    assert (context.connection, context.exchange, context.task, context.variables) == (None, None, None, None)
    assert context.request.detached
    assert context.response.detached


@guarded
def test_reuses_what_nobody_holds() -> None:
    """A record that was given back and is held by none is handed out again, with a new id and new locals."""
    contexts = pool()
    context = contexts.acquire()
    first, context.locals.user = context.id, "somebody"
    contexts.release(context)
    del context
    context = contexts.acquire()
    assert (contexts.created, contexts.reused, contexts.abandoned) == (1, 1, 0)
    assert context.id > first
    assert "user" not in context.locals


@pytest.mark.parametrize("kept", ["request", "response"])
def test_abandons_a_record_whose_part_is_held(kept: str) -> None:
    """A handler that keeps its request or response keeps it for itself."""
    contexts = pool()
    context = contexts.acquire()
    held = getattr(context, kept)
    held.value = "mine"
    contexts.release(context)
    del context
    assert getattr(contexts.acquire(), kept) is not held
    assert held.value == "mine"
    assert contexts.abandoned == 1


def test_abandons_a_record_that_is_held() -> None:
    """The same for the record itself."""
    contexts = pool()
    held = contexts.acquire()
    contexts.release(held)
    assert contexts.acquire() is not held
    assert contexts.abandoned == 1


@guarded
def test_abandons_what_was_taken_out_of_a_waiting_record() -> None:
    """Nor does it help to take the request out of a record that waits in the pool."""
    contexts = pool()
    stale = contexts.acquire()
    contexts.release(stale)
    held = stale.request
    del stale
    assert contexts.acquire().request is not held


def test_locals_are_never_reused() -> None:
    """Locals that somebody kept never show another request's."""
    contexts = pool()
    context = contexts.acquire()
    held = context.locals
    held.user = "mine"
    contexts.release(context)
    del context
    contexts.acquire().locals.user = "other"
    assert held.user == "mine"


@guarded
def test_is_bounded() -> None:
    """It keeps no more than its size, and counts the rest."""
    contexts = pool(size=2)
    for context in [contexts.acquire() for _ in range(5)]:
        contexts.release(context)
    assert (len(contexts), contexts.dropped) == (2, 3)


def test_without_its_guard_every_record_is_new() -> None:
    """Plain Python cannot tell who holds a record, so all are taken for held."""
    spec = spec_from_file_location(
        "highper_core.plain_references", Path(_references.__file__).with_name("_references.py")
    )
    assert spec is not None
    assert spec.loader is not None
    plain = module_from_spec(spec)
    spec.loader.exec_module(plain)
    context = pool().acquire()
    assert not plain.parts_unheld(context)
    assert plain.take_unheld([context]) is None


def test_ids_are_unique_across_pools() -> None:
    """An id names one request of the process."""
    one, other = pool(), pool()
    ids = [contexts.acquire().id for contexts in (one, other, one, other)]
    assert len(set(ids)) == 4
    assert ids[0] < ids[2]
    assert ids[1] < ids[3]


def test_locals_are_attributes_and_items() -> None:
    """Both spellings reach the same values."""
    values = Locals()
    values.user = 1
    values["team"] = 2
    assert (values["user"], values.team, len(values), list(values)) == (1, 2, 2, ["user", "team"])
    assert ("user" in values, values.get("none"), values.get("none", 3)) == (True, None, 3)
    del values["user"]
    assert not hasattr(values, "user")
    assert repr(values) == "Locals({'team': 2})"


def test_repr_names_the_request() -> None:
    """A record in a log is its id."""
    context = pool().acquire()
    assert repr(context) == f"<RequestContext {context.id}>"
