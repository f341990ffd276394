"""What is promised, what was measured, and whether it holds.

Usage: python perf/figures.py --python PYTHON311 [--python PYTHON313] [--rounds N] [--seconds S] [--append [FILE]]
                              [--minutes M] [--show [FILE]]

Runs those parts of the comparison that a promise is about, peers in their rounds between Highper and the floors, and
prints each promise with its bar and the measured value. Status 1 when one is broken, 75 when time was up before all
was measured. `--show` judges results that exist.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compare import UNFINISHED, Comparison, add_options, begin
from contestants import CONTESTANTS, FLOOR, Setting, known, prepare
from measured import Results
from record import newest, write_results
from report import table
from running import Unfit, running
from slow_clients import slow_app, slowdowns
from workloads import WORKLOADS

__all__ = ["Figure", "figures"]

OURS = "highper-epoll"
SLOW = "slow clients"
SLOW_CLIENTS = 1000
PEERS = [name for name in CONTESTANTS if not name.startswith(("highper", "l1", "l2")) and "protocol" not in name]
FAST_PEERS = ["fastpysgi-wsgi", "fastpysgi-asgi", "socketify", "granian-rsgi", "uvicorn"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A promise; `value` is None where it was not measured."""

    what: str
    bar: float
    value: float | None
    detail: str = ""

    @property
    def holds(self) -> bool | None:
        return None if self.value is None else self.value <= self.bar


def plan(newer: str) -> list[tuple[str, list[str]]]:
    """Return what to run: workload, contestants."""
    ours = [name for name in CONTESTANTS if name.startswith("highper")]
    also = [f"{name}{newer}" for name in (OURS, "highper-epoll-in-uvloop")] if newer else []
    return [
        ("plaintext", [*PEERS, *ours, *also]),
        ("pipelined", [*FAST_PEERS, FLOOR, OURS]),
        ("json", [FLOOR, OURS]),
        ("latency", [*FAST_PEERS, OURS]),
        ("tls", ["uvicorn", OURS]),
        ("idle", [OURS]),
        ("idle-tls", [OURS]),
    ]


def figures(results: Results, newer: str) -> Iterator[Figure]:
    """Yield every promise with its value."""

    def ratio(name: str, other: str, workload: str = "plaintext") -> float | None:
        return results.ratio(workload, name, other) if name in results.names(workload) else None

    yield Figure("plaintext, async def, epoll: CPU over L0, 3.11", 1.40, ratio(OURS, FLOOR))
    yield Figure("the same on 3.13", 1.30, ratio(OURS + newer, FLOOR) if newer else None)
    yield Figure("the same over fastpysgi WSGI", 1.0, ratio(OURS, "fastpysgi-wsgi"))
    yield Figure("inline def over fastpysgi WSGI", 0.95, ratio("highper-epoll-inline", "fastpysgi-wsgi"))
    others = [name for name in results.names("plaintext") if results.kind(name) == "peer" and name != "fastpysgi-wsgi"]
    against = {name: value for name in others if (value := ratio(OURS, name)) is not None}
    worst = max(against, key=lambda name: against[name], default="")
    yield Figure("over every other peer", 0.85, against.get(worst), worst)
    yield Figure("over granian RSGI", 0.45, ratio(OURS, "granian-rsgi"))
    yield Figure("over uvicorn", 0.45, ratio(OURS, "uvicorn"))
    best = results.best_peer("pipelined", "microseconds") or ""
    yield Figure("pipelined 16: CPU over the best peer", 0.6, ratio(OURS, best, "pipelined") if best else None, best)
    yield Figure("JSON, parameter route, three middlewares: over L0", 1.9, ratio(OURS, FLOOR, "json"))
    yield Figure("plaintext on the uvloop transport over L0", 1.75, ratio("highper-uvloop", FLOOR))
    yield Figure("plaintext on the asyncio transport over L0", 2.0, ratio("highper-asyncio", FLOOR))
    embedded = "highper-epoll-in-uvloop"
    yield Figure("epoll in a running uvloop over L0, 3.13", 1.6, ratio(embedded + newer, FLOOR) if newer else None)
    yield Figure("epoll in a running uvloop over L0, 3.11", 1.8, ratio(embedded, FLOOR))
    yield from _others(results)


def _others(results: Results) -> Iterator[Figure]:
    best = results.best_peer("latency", "p99")
    mine, theirs = results.median("latency", OURS, "p99"), best and results.median("latency", best, "p99")
    p99 = mine / theirs if mine and theirs else None
    rate = results.method.get("rates", {}).get("latency")
    yield Figure(
        "p99 at 70 % of the best peer's saturation over the best peer's",
        1.1,
        p99,
        f"{mine:,.0f} us, {best} {theirs:,.0f} us, at {rate:,} a second" if mine and theirs else "",
    )
    over_uvicorn = results.ratio("tls", OURS, "uvicorn") if OURS in results.names("tls") else None
    yield Figure("TLS 1.3 keep-alive GET: CPU over uvicorn", 0.6, over_uvicorn)
    for workload, bar, what in (("idle", 128, "plain"), ("idle-tls", 20480, "TLS")):
        slope, whole = (results.median(workload, OURS, figure) for figure in ("slope", "whole"))
        yield Figure(f"user bytes of a connection at rest, {what}: slope", bar, slope)
        apart = abs(whole / slope - 1) if whole is not None and slope else None
        yield Figure("whole growth / N, apart from the slope by", 0.2, apart, f"{whole:,.0f} bytes" if whole else "")
    ratios = results.method.get(SLOW)
    yield Figure(
        f"median answer at 30 % load beside {SLOW_CLIENTS} slow clients, over alone",
        1.2,
        statistics.median(ratios) if ratios else None,
    )


def show(found: list[Figure]) -> str:
    """Return a Markdown table."""
    lines = ["| what | at most | measured | |", "|---|---|---|---|"]
    for figure in found:
        bar, value = (_number(number) for number in (figure.bar, figure.value))
        verdict = {True: "holds", False: "**broken**", None: "not measured"}[figure.holds]
        lines.append(f"| {figure.what} | {bar} | {value}{figure.detail and f' ({figure.detail})'} | {verdict} |")
    return "\n".join(lines)


def main() -> int:
    """Measure and judge; return a process status."""
    options = _options()
    newer = next((f"@{name.partition('@')[2]}" for name in known(options.python[1:]) if "@" in name), "")
    if options.show is None:
        try:
            results, path = begin(options.append, "figures", options.python[0], options.seconds)
        except ValueError as error:
            print(error, file=sys.stderr)
            return 2
        finished = _measure(results, path, options, newer)
        print("\n" + table(results))
    else:
        results, finished = Results.read(newest("figures") if options.show == "newest" else options.show), True
    found = list(figures(results, newer))
    print(show(found))
    if not finished:
        return UNFINISHED
    return int(not all(figure.holds for figure in found))


def _measure(results: Results, path: Path | None, options: argparse.Namespace, newer: str) -> bool:
    """Run what is not there yet; return whether all of it is."""
    setting = Setting(options.python[0], options.cache, options.refresh)
    deadline = time.monotonic() + 60 * options.minutes
    comparison = Comparison(results, path, "figures", options.cache, deadline)
    for workload, names in plan(newer):
        ready, absent = prepare(names, setting, options.python[1:])
        for name, reason in absent.items():
            results.note_absent(workload, name, reason)
        comparison.run(WORKLOADS[workload], ready, options.rounds, options.seconds)
    if comparison.finished and SLOW not in results.method:
        try:
            with running(slow_app(setting.python, "epoll"), WORKLOADS["plaintext"], setting.cache) as server:
                pairs = slowdowns(server, setting.cache, SLOW_CLIENTS, options.rounds, options.seconds)
                results.note_method(SLOW, [round(beside / alone, 4) for alone, beside in pairs])
        except Unfit as error:
            print(f"slow clients: {error}", flush=True)
        write_results("figures", results.as_json(), comparison.path)
    return comparison.finished


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_options(parser, seconds=1)
    parser.add_argument("--python", action="append", help="first 3.11, for all; then 3.13, for Highper alone")
    parser.add_argument("--show", nargs="?", const="newest", help="judge these results, or the newest")
    options = parser.parse_args()
    options.python = options.python or [sys.executable]
    return options


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main())
