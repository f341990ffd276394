"""How many times faster than h11 the fast engine is, against what the project promises.

Usage: python perf/micro/ratios.py [--rounds N]. Status 1 when a promise is broken. Rounds alternate between the two
subjects, so that both see the same machine; the ratio is the median over the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import sys

import exchange
import head
import response
from suite import Cases

LOOPS = {"fast": 6400, "h11": 640}

PROMISES: list[tuple[Cases, str, str, float | None]] = [
    (head.CASES, "head fast, all fields read", "head h11, all fields read", 25),
    (head.CASES, "head fast, no field read", "head h11, no field read", 40),
    (response.CASES, "response fast", "response h11", 10),
    (exchange.CASES, "exchange fast, send_message", "exchange h11", None),
]


def main() -> int:
    """Print the ratios; return a process status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    broken = False
    print(f"{'subject':<32}{'ns':>10}{'h11 ns':>10}{'times':>8}{'promised':>10}")
    for cases, ours, theirs, promised in PROMISES:
        pairs = [(_seconds(cases, ours, "fast"), _seconds(cases, theirs, "h11")) for _ in range(rounds)]
        times = statistics.median(other / own for own, other in pairs)
        own, other = (statistics.median(values) * 1e9 for values in zip(*pairs, strict=True))
        print(f"{ours:<32}{own:>10.0f}{other:>10.0f}{times:>8.1f}{promised or '-':>10}", flush=True)
        broken = broken or (promised is not None and times < promised)
    return int(broken)


def _seconds(cases: Cases, name: str, kind: str) -> float:
    return cases[name](LOOPS[kind]) / LOOPS[kind]


if __name__ == "__main__":
    sys.exit(main())
