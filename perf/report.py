"""Results as Markdown tables.

Usage: python perf/report.py [RESULTS] [--overview]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from contestants import FLOOR
from measured import Results
from record import newest
from workloads import WORKLOADS

__all__ = ["main_figure", "number", "overview", "table"]

_FIGURES = {"saturation": "microseconds", "churn": "microseconds", "latency": "p99", "idle": "slope"}


def main_figure(workload: str) -> str:
    """Return the name of the figure by which `workload` is judged; less is better."""
    return _FIGURES[WORKLOADS[workload].kind]


def table(results: Results) -> str:
    """Return every workload's figures, best first."""
    return "\n".join(_section(results, name) for name in results.workloads)


def overview(results: Results) -> str:
    """Return one line for each server and one column for each workload; the best peer's figure is in bold."""
    workloads = [name for name in WORKLOADS if name in results.workloads]
    names = list(dict.fromkeys(name for workload in workloads for name in results.names(workload)))
    lines = ["| | " + " | ".join(_HEADS[name] for name in workloads) + " |", "|---" * (len(workloads) + 1) + "|"]
    best = {name: results.best_peer(name, main_figure(name)) for name in workloads}
    for name in names:
        cells = []
        for workload in workloads:
            median = results.median(workload, name, main_figure(workload))
            text = "" if median is None else number(median)
            if name in results.absent(workload):
                text = "no"
            elif workload == "latency" and (results.median(workload, name, "unanswered") or 0) > 0.01:
                text = "too slow"
            cells.append(f"**{text}**" if best[workload] == name else text)
        lines.append(f"| {results.title(name)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


_HEADS = {
    "plaintext": "plaintext, us",
    "pipelined": "pipelined 16, us",
    "json": "JSON, 3 middlewares, us",
    "download": "64 KiB down, us",
    "upload": "1 MiB up, us",
    "churn": "new connection each, us",
    "tls": "TLS 1.3, us",
    "latency": "p99 at a fixed rate, us",
    "idle": "bytes at rest",
    "idle-tls": "bytes at rest, TLS",
}


def _section(results: Results, workload: str) -> str:
    figure = main_figure(workload)
    lines = [f"### {WORKLOADS[workload].title}", ""]
    if rate := results.method.get("rates", {}).get(workload):
        lines += [f"{rate:,} requests a second.", ""]
    names = sorted(results.names(workload), key=lambda name: results.median(workload, name, figure) or 0)
    lines += _COLUMNS[WORKLOADS[workload].kind]
    for name in names:
        lines.append("| " + " | ".join(_cells(results, workload, name, figure)) + " |")
    lines += ["", *(f"- {name}: {reason}" for name, reason in results.absent(workload).items()), ""]
    return "\n".join(lines)


_COLUMNS = {
    "saturation": ["| server | us/request | spread | of L0 | requests/s | core busy |", "|---|---|---|---|---|---|"],
    "churn": ["| server | us/request | spread | of L0 | requests/s | core busy |", "|---|---|---|---|---|---|"],
    "latency": ["| server | p99, us | spread | p50, us | p99.9, us | not answered |", "|---|---|---|---|---|---|"],
    "idle": ["| server | bytes each | spread | all growth / N |", "|---|---|---|---|"],
}


def _cells(results: Results, workload: str, name: str, figure: str) -> list[str]:
    def median(other: str) -> float:
        return results.median(workload, name, other) or 0

    cells = [results.title(name), number(median(figure)), f"{results.spread(workload, name, figure):.0%}"]
    kind = WORKLOADS[workload].kind
    if kind == "idle":
        return [*cells, number(median("whole"))]
    if kind == "latency":
        return [*cells, number(median("p50")), number(median("p999")), f"{median('unanswered'):.1%}"]
    ratio = results.ratio(workload, name, FLOOR)
    of_floor = "" if ratio is None else f"{ratio:.2f}"
    return [*cells, of_floor, f"{median('rate'):,.0f}", f"{median('busy'):.0%}"]


def number(value: float) -> str:
    """Return `value` with three digits or so."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def main() -> int:
    """Print; return a process status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("results", type=Path, nargs="?", help="a file; by default the newest comparison")
    parser.add_argument("--overview", action="store_true", help="one table with a column for each workload")
    options = parser.parse_args()
    results = Results.read(options.results or newest("compare"))
    print(overview(results) if options.overview else table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
