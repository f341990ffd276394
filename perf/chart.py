"""Draw results as an SVG chart, one panel for each workload, best first.

Usage: python perf/chart.py [RESULTS] [--workload a,b] [--output FILE]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from xml.sax.saxutils import escape

from measured import Results
from record import newest
from report import main_figure, number
from workloads import WORKLOADS

HOME = Path(__file__).parent
SHOWN = ["plaintext", "pipelined", "json", "tls"]
COLOURS = {"highper": "#0f766e", "floor": "#94a3b8", "loop": "#94a3b8", "peer": "#d97706"}
KINDS = [("highper", "Highper"), ("peer", "other servers"), ("floor", "C floors, constant writers")]
UNITS = {"microseconds": "CPU time per request, us", "p99": "99th percentile, us", "slope": "bytes per connection"}
COLUMN, ROW, LEFT, BAR, TOP, HEAD, FOOT = 580, 19, 250, 250, 64, 44, 34


def main() -> int:
    """Draw; return a process status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("results", type=Path, nargs="?", help="a file; by default the newest comparison")
    parser.add_argument("--workload", type=lambda names: names.split(","), default=SHOWN)
    parser.add_argument("--output", type=Path, default=HOME.parent / "docs" / "comparison.svg")
    options = parser.parse_args()
    path = options.results or newest("compare")
    options.output.write_text(draw(Results.read(path), options.workload))
    print(f"{options.output.name} shows {path.name}")
    return 0


def draw(results: Results, workloads: list[str]) -> str:
    """Return the chart."""
    panels = [name for name in workloads if results.names(name)]
    tops, top = [], TOP
    for left, *right in (panels[index : index + 2] for index in range(0, len(panels), 2)):
        tops.append(top)
        top += HEAD + ROW * max(len(_servers(results, name)) for name in (left, *right))
    width, height = 2 * COLUMN, top + FOOT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="Inter, Helvetica, Arial, sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#f8fafc"/>',
        *_legend(),
    ]
    for index, name in enumerate(panels):
        lines += _panel(results, name, index % 2 * COLUMN, tops[index // 2])
    rounds = min(results.rounds_of(panels[0], name) for name in results.names(panels[0]))
    environment = results.environment
    caption = (
        f"{environment['python']}, Linux {environment['kernel']}, {environment['processor']}; one core for the server, "
        f"one for the load; median of {rounds} interleaved rounds; less is better"
    )
    lines += [f'<text x="20" y="{height - 14}" font-size="11" fill="#64748b">{escape(caption)}</text>', "</svg>"]
    return "\n".join(lines) + "\n"


def _legend() -> list[str]:
    lines, x = [], 20
    for kind, title in KINDS:
        lines.append(f'<rect x="{x}" y="20" width="12" height="12" rx="2" fill="{COLOURS[kind]}"/>')
        lines.append(f'<text x="{x + 18}" y="30" font-size="13" fill="#0f172a">{title}</text>')
        x += 40 + 8 * len(title)
    return lines


def _panel(results: Results, workload: str, left: int, top: int) -> list[str]:
    figure, servers = main_figure(workload), _servers(results, workload)
    longest = max(value for _, value in servers)
    title = escape(f"{WORKLOADS[workload].title}: {UNITS[figure]}")
    lines = [f'<text x="{left + 20}" y="{top + 4}" font-size="13" font-weight="700" fill="#0f172a">{title}</text>']
    for index, (name, value) in enumerate(servers):
        y, length, kind = top + 18 + index * ROW, max(1.0, value / longest * BAR), results.kind(name)
        weight = ' font-weight="700"' if kind == "highper" else ""
        lines += [
            f'<text x="{left + LEFT - 8}" y="{y + 11}" text-anchor="end" fill="#334155"{weight}>'
            f"{escape(results.title(name))}</text>",
            f'<rect x="{left + LEFT}" y="{y}" width="{length:.1f}" height="{ROW - 5}" rx="3" fill="{COLOURS[kind]}"/>',
            f'<text x="{left + LEFT + length + 6:.1f}" y="{y + 11}" fill="#0f172a"{weight}>{number(value)}</text>',
        ]
    return lines


def _servers(results: Results, workload: str) -> list[tuple[str, float]]:
    """Return who is shown, best first; those that fell behind a fixed rate have no waiting time worth showing."""
    figure, values = main_figure(workload), []
    for name in results.names(workload):
        value = results.median(workload, name, figure)
        if value is not None and (results.median(workload, name, "unanswered") or 0) <= 0.01:
            values.append((name, value))
    return sorted(values, key=lambda item: item[1])


if __name__ == "__main__":
    sys.exit(main())
