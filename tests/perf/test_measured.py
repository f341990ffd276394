"""Results: ratios within a round, and what they are divided by where two servers never met."""

from __future__ import annotations

from pathlib import Path

import pytest
from contestants import Contestant
from measured import Results
from workloads import WORKLOADS


def results(rounds: list[dict[str, float]]) -> Results:
    found = Results({"python": "CPython 3.11.7"}, {})
    for name in {name for runs in rounds for name in runs}:
        kind = "floor" if name == "l0" else "highper" if name.startswith("highper") else "peer"
        found.note_contestant(Contestant(name, name, kind, lambda ground: [], frozenset()))  # type: ignore[arg-type]
    for runs in rounds:
        found.add_round("plaintext", {name: {"microseconds": value} for name, value in runs.items()})
    return found


def test_a_ratio_is_taken_within_each_round() -> None:
    found = results([{"l0": 5, "highper": 7}, {"l0": 10, "highper": 14}, {"l0": 6, "highper": 12}])
    assert found.ratio("plaintext", "highper", "l0") == pytest.approx(1.4)


def test_servers_that_never_met_are_compared_over_the_floor() -> None:
    found = results([{"l0": 5, "highper": 10}, {"l0": 50, "uvicorn": 200}])
    assert found.ratio("plaintext", "highper", "uvicorn") == pytest.approx(0.5)
    assert found.ratio("plaintext", "highper", "robyn") is None


def test_the_fixed_rate_is_a_share_of_what_the_best_peer_can_do_and_stays() -> None:
    found = results([{"l0": 5, "highper": 7, "uvicorn": 20, "fastpysgi": 10}])
    assert found.rate_for(WORKLOADS["latency"], 0.7) == 70_000
    found.add_round("plaintext", {"uvicorn": {"microseconds": 2.0}})
    assert found.rate_for(WORKLOADS["latency"], 0.7) == 70_000


def test_without_a_peer_there_is_no_fixed_rate() -> None:
    with pytest.raises(LookupError):
        results([{"l0": 5, "highper": 7}]).rate_for(WORKLOADS["latency"], 0.7)


def test_results_of_another_environment_are_told_apart(tmp_path: Path) -> None:
    found = results([])
    assert found.differs_from({"python": "CPython 3.11.7"}) == ""
    assert found.differs_from({"python": "CPython 3.13.0"}) == "python"


def test_who_was_out_may_be_let_in_again() -> None:
    found = results([{"l0": 5}])
    found.note_absent("plaintext", "uvicorn", "does not start")
    assert found.absent("plaintext") == {"uvicorn": "does not start"}
    found.forget_absence(["uvicorn"])
    assert found.absent("plaintext") == {}
