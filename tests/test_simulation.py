"""The simulation holds, repeats itself, and finds what it is there to find."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from simulation.ledger import FAULTS, PHASES, Ledger
from simulation.plants import PLANTS
from simulation.world import CLIENTS, run_world

from highper_core import available

WORLDS = 4


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def _run(worlds: range, engines: list[str]) -> Ledger:
    total = Ledger()
    for number in worlds:
        total.add(run_world(number, engines))
    return total


def test_no_invariant_is_broken(engine_name: str) -> None:
    """Requests are answered once and in order, nothing is shared, nothing is left; each fault is met in each phase."""
    total = _run(range(WORLDS), [engine_name])
    assert total.violations == []
    assert total.missing() == []
    assert total.connections == WORLDS * CLIENTS


def test_a_world_repeats_itself(engine_name: str) -> None:
    """A seed decides everything."""
    assert run_world(7, [engine_name]) == run_world(7, [engine_name])


FOUND_BY = {
    "swapped-answers": "an answer belongs to another request",
    "reused-held-context": "a held request was reused",
    "lost-wake-up": "somebody waits for ever",
    "leaked-buffer": "a buffer is left in a pooled driver",
    "double-answer": "an answer to nobody",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_bug_is_found(plant: str) -> None:
    """A bug that is put in breaks the invariant that forbids it, within a few worlds."""
    engines = [name for name, reason in available().items() if reason is None]
    with PLANTS[plant]():
        total = _run(range(3 * WORLDS), engines)
    assert FOUND_BY[plant] in "\n".join(total.violations)


def test_the_plan_reaches_every_pair() -> None:
    """One world meets each fault in each phase."""
    assert CLIENTS % (len(FAULTS) * len(PHASES)) == 0
