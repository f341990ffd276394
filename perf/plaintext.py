"""Plaintext over keep-alive: CPU time per request of Highper, of other servers, and of the floor below them all.

Usage: python perf/plaintext.py [--servers a,b] [--rounds N] [--seconds S] [--python PATH] [--cache DIR]

Every round runs each server once, so that drift of the machine falls on all alike; a figure is the median over the
rounds of the ratio to the floor *of the same round*. See README.md for what the figures mean.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

from contestants import CONTESTANTS, FLOOR, Contestant, Setting, prepare
from load import Run, measure
from record import environment, write_results


def main() -> int:
    """Run the comparison; return a process status."""
    options = _options()
    setting = Setting(options.python, options.cache, options.refresh)
    contestants = prepare(options.servers, setting)
    rounds: list[dict[str, Run]] = []
    for number in range(1, options.rounds + 1):
        rounds.append({})
        for contestant in contestants:
            run = rounds[-1][contestant.name] = measure(contestant, options.seconds)
            print(f"round {number}/{options.rounds}  {contestant.name:<18}{run.microseconds:8.2f} us", flush=True)
    summary = _summary(contestants, rounds)
    _print_table(summary)
    path = write_results(
        "plaintext", {"environment": environment(options.python), "rounds": options.rounds, "servers": summary}
    )
    print(f"\nwritten to {path}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--servers", type=lambda names: names.split(","), default=list(CONTESTANTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--python", default=sys.executable, help="interpreter for Highper and the constant protocols")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "highper-perf")
    parser.add_argument("--refresh", action="store_true", help="look for newer releases of the peers")
    options = parser.parse_args()
    if unknown := [name for name in options.servers if name not in CONTESTANTS]:
        parser.error(f"unknown servers: {', '.join(unknown)}; known are {', '.join(CONTESTANTS)}")
    return options


def _summary(contestants: list[Contestant], rounds: list[dict[str, Run]]) -> dict[str, dict[str, object]]:
    summary: dict[str, dict[str, object]] = {}
    for contestant in contestants:
        runs = [runs[contestant.name] for runs in rounds]
        summary[contestant.name] = {
            "microseconds": round(statistics.median(run.microseconds for run in runs), 3),
            "all_microseconds": [round(run.microseconds, 3) for run in runs],
            "rate": round(statistics.median(run.rate for run in runs)),
            "ratio_to": {other.name: round(_ratio(contestant.name, other.name, rounds), 3) for other in contestants},
            "versions": dict(contestant.versions),
        }
    return summary


def _ratio(name: str, other: str, rounds: list[dict[str, Run]]) -> float:
    return statistics.median(runs[name].microseconds / runs[other].microseconds for runs in rounds)


def _print_table(summary: dict[str, dict[str, object]]) -> None:
    peers = [FLOOR, *(name for name in ("uvicorn", "granian") if name in summary)]
    titles = "".join(f"{'of ' + peer:>12}" for peer in peers)
    print(f"\n{'server':<18}{'us/request':>12}{'requests/s':>12}{titles}")
    for name, figures in summary.items():
        ratio_to = figures["ratio_to"]
        assert isinstance(ratio_to, dict)
        ratios = "".join(f"{ratio_to[peer]:>12.2f}" for peer in peers)
        print(f"{name:<18}{figures['microseconds']:>12.2f}{figures['rate']:>12}{ratios}")


if __name__ == "__main__":
    sys.exit(main())
