"""What was measured: rounds of runs for each workload, the environment, the versions, and who could not take part."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contestants import FLOOR, Contestant
from measure import Run
from workloads import Workload

__all__ = ["Results"]

_MAY_DIFFER = {"open files"}


class Results:
    """Results of one comparison, as read and as written."""

    def __init__(self, environment: dict[str, Any], method: dict[str, Any]) -> None:
        self._data: dict[str, Any] = {
            "environment": environment,
            "commits": [],
            "method": method,
            "contestants": {},
            "workloads": {},
        }

    @classmethod
    def read(cls, path: Path) -> Results:
        """Return the results in the file at `path`."""
        results = cls({}, {})
        results._data = json.loads(path.read_text())
        return results

    def as_json(self) -> dict[str, Any]:
        """Return them as what JSON can hold."""
        return self._data

    @property
    def environment(self) -> dict[str, Any]:
        return dict(self._data["environment"])

    @property
    def method(self) -> dict[str, Any]:
        return dict(self._data["method"])

    @property
    def commits(self) -> list[str]:
        return list(self._data["commits"])

    @property
    def workloads(self) -> list[str]:
        return list(self._data["workloads"])

    def differs_from(self, environment: dict[str, Any]) -> str:
        """Return in what `environment` is another, empty if in nothing that matters."""
        before = self._data["environment"]
        names = (before.keys() | environment.keys()) - _MAY_DIFFER
        return ", ".join(sorted(name for name in names if before.get(name) != environment.get(name)))

    def note_commit(self, commit: str) -> None:
        """Remember that `commit` was measured."""
        if commit not in self._data["commits"]:
            self._data["commits"].append(commit)

    def note_method(self, name: str, value: object) -> None:
        """Remember `value`, which holds for these results as a whole."""
        self._data["method"][name] = value

    def note_contestant(self, contestant: Contestant) -> None:
        """Remember who `contestant` is."""
        self._data["contestants"][contestant.name] = {
            "title": contestant.title,
            "kind": contestant.kind,
            "versions": dict(contestant.packages),
        }

    def note_absent(self, workload: str, name: str, reason: str) -> None:
        """Remember why `name` has no part in `workload`."""
        self._of(workload)["absent"][name] = reason

    def forget_absence(self, names: list[str]) -> None:
        """Let `names` try again."""
        for workload in self._data["workloads"].values():
            for name in names:
                workload["absent"].pop(name, None)

    def add_round(self, workload: str, runs: dict[str, Run]) -> None:
        """Add a round, of which those who showed nothing are left out."""
        rounded = {name: {key: round(value, 4) for key, value in run.items()} for name, run in runs.items()}
        self._of(workload)["rounds"].append(rounded)

    def _of(self, workload: str) -> dict[str, Any]:
        empty: dict[str, Any] = {"rounds": [], "absent": {}}
        found: dict[str, Any] = self._data["workloads"].setdefault(workload, empty)
        return found

    def absent(self, workload: str) -> dict[str, str]:
        """Return who has no part in `workload`, and why."""
        return dict(self._data["workloads"].get(workload, {}).get("absent", {}))

    def names(self, workload: str) -> list[str]:
        """Return who was measured, in the order of the first round each was in."""
        return list(dict.fromkeys(name for runs in self._rounds(workload) for name in runs))

    def title(self, name: str) -> str:
        return str(self._data["contestants"][name]["title"])

    def kind(self, name: str) -> str:
        return str(self._data["contestants"][name]["kind"])

    def versions(self, name: str) -> dict[str, str]:
        return dict(self._data["contestants"][name]["versions"])

    def rounds_of(self, workload: str, name: str) -> int:
        """Return how many rounds `name` has run."""
        return sum(name in runs for runs in self._rounds(workload))

    def values(self, workload: str, name: str, figure: str) -> list[float]:
        """Return a figure of `name` from each of its rounds."""
        return [runs[name][figure] for runs in self._rounds(workload) if figure in runs.get(name, {})]

    def median(self, workload: str, name: str, figure: str) -> float | None:
        """Return the median over the rounds, None where there is none."""
        values = self.values(workload, name, figure)
        return statistics.median(values) if values else None

    def spread(self, workload: str, name: str, figure: str) -> float:
        """Return the difference of the largest and the smallest value, as a share of the median."""
        values = self.values(workload, name, figure)
        return (max(values) - min(values)) / statistics.median(values)

    def ratio(self, workload: str, name: str, other: str, figure: str = "microseconds") -> float | None:
        """Return `figure` of `name` over that of `other`: the median over the rounds both were in.

        Where they never met, over those of the floor in between. None where one of the two was not measured.
        """
        met = [runs for runs in self._rounds(workload) if name in runs and other in runs]
        if met:
            return statistics.median(runs[name][figure] / runs[other][figure] for runs in met)
        if FLOOR in (name, other):
            return None
        mine, theirs = self.ratio(workload, name, FLOOR, figure), self.ratio(workload, other, FLOOR, figure)
        return mine / theirs if mine and theirs else None

    def best_peer(self, workload: str, figure: str) -> str | None:
        """Return the peer with the smallest median, None where no peer was measured."""
        medians = {
            name: median
            for name in self.names(workload)
            if self.kind(name) == "peer" and (median := self.median(workload, name, figure)) is not None
        }
        return min(medians, key=lambda name: medians[name]) if medians else None

    def rate_for(self, workload: Workload, share: float) -> float:
        """Return the fixed rate of `workload`: `share` of what the best peer's core can do in the plaintext workload.

        The first answer holds for these results.

        Raises:
            LookupError: no peer's plaintext was measured.
        """
        rates = self._data["method"].setdefault("rates", {})
        if workload.name not in rates:
            best = self.best_peer("plaintext", "microseconds")
            if best is None:
                raise LookupError("a fixed rate needs the plaintext figures of a peer: run that workload first")
            median = self.median("plaintext", best, "microseconds")
            assert median is not None
            rates[workload.name] = round(share * 1e6 / median)
        return float(rates[workload.name])

    def _rounds(self, workload: str) -> Iterator[dict[str, Run]]:
        yield from self._data["workloads"].get(workload, {}).get("rounds", [])
