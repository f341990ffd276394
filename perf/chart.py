"""Draw the newest plaintext results as an SVG bar chart.

Usage: python perf/chart.py [--results FILE] [--output FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

HOME = Path(__file__).parent
NAMES = {
    "l0": "C epoll loop: receive, send a constant",
    "uvloop-protocol": "uvloop Protocol writing a constant",
    "asyncio-protocol": "asyncio Protocol writing a constant",
    "highper-uvloop": "Highper on uvloop",
    "highper-asyncio": "Highper on asyncio",
    "granian": "granian, RSGI",
    "uvicorn": "uvicorn, bare ASGI",
}
COLOURS = {"highper": "#0f766e", "l0": "#94a3b8", "uvloop-protocol": "#94a3b8", "asyncio-protocol": "#94a3b8"}
ROW, LEFT, WIDTH, BAR = 34, 290, 900, 470


def main() -> int:
    """Draw; return a process status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--results", type=Path, default=max((HOME / "results").glob("plaintext-*.json")))
    parser.add_argument("--output", type=Path, default=HOME.parent / "docs" / "plaintext.svg")
    options = parser.parse_args()
    options.output.write_text(draw(json.loads(options.results.read_text())))
    print(f"{options.output.name} shows {options.results.name}")
    return 0


def draw(results: dict[str, Any]) -> str:
    """Return the chart."""
    servers = sorted(results["servers"].items(), key=lambda item: item[1]["microseconds"])
    longest = max(figures["microseconds"] for _, figures in servers)
    python = results["environment"]["python"]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {len(servers) * ROW + 74}" '
        'font-family="Inter, Helvetica, Arial, sans-serif" font-size="14">',
        f'<rect width="{WIDTH}" height="{len(servers) * ROW + 74}" fill="#f8fafc"/>',
        '<text x="20" y="30" font-size="16" font-weight="700" fill="#0f172a">'
        "Server CPU time per plaintext request, microseconds; in brackets, times the C floor</text>",
    ]
    for index, (name, figures) in enumerate(servers):
        top = 48 + index * ROW
        length = figures["microseconds"] / longest * BAR
        colour = COLOURS.get(name.split("-")[0], COLOURS.get(name, "#b45309"))
        label = f"{figures['microseconds']:.1f}  ({figures['ratio_to']['l0']:.2f})"
        lines += [
            f'<text x="{LEFT - 12}" y="{top + 18}" text-anchor="end" fill="#334155">{NAMES.get(name, name)}</text>',
            f'<rect x="{LEFT}" y="{top + 3}" width="{length:.1f}" height="{ROW - 12}" rx="4" fill="{colour}"/>',
            f'<text x="{LEFT + length + 8:.1f}" y="{top + 18}" fill="#0f172a">{label}</text>',
        ]
    lines += [
        f'<text x="20" y="{len(servers) * ROW + 64}" font-size="12" fill="#64748b">64 keep-alive connections, one core '
        f"each for server and load, {python}, median of {results['rounds']} interleaved rounds</text>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
