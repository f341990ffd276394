"""Simulate whole applications: thousands of clients with faults, on virtual time, from seeds.

Usage: python fuzz/simulate.py [--seeds N] [--first WORLD] [--engine NAME ...] [--jobs J] [--plant NAME]

Each seed is a connection with one fault in one phase; `simulation/world.py` runs 126 of them against one server.
Invariants: each request is answered at most once and in order, where nothing prevents it exactly once; no answer is
another request's; no record or context is shared; pools balance; no task, timer, stream or buffer is left. Prints the
counts per fault and phase; status 1 where an invariant is broken or a count is zero. A world repeats itself:
`--first WORLD --seeds 1`. `--plant` puts a bug in, to see it found.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import logging
import sys
import time
import warnings
from contextlib import nullcontext

from simulation.ledger import Ledger
from simulation.plants import PLANTS
from simulation.world import CLIENTS, run_world

from highper_core import available

SHOWN = 20


def main() -> int:
    """Run the worlds that the command line asks for."""
    options = _options()
    engines = options.engine or [name for name, reason in available().items() if reason is None]
    worlds = range(options.first, options.first + -(-options.seeds // CLIENTS))
    started = time.perf_counter()
    total = Ledger()
    if options.jobs > 1:
        with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
            for ledger in pool.map(_run, worlds, [engines] * len(worlds), [options.plant] * len(worlds), chunksize=4):
                total.add(ledger)
    else:
        for number in worlds:
            total.add(_run(number, engines, options.plant))
    seconds = time.perf_counter() - started
    print(total.table())
    print()
    for end, count in total.ends.most_common():
        print(f"{count:>9} {end}")
    print()
    print(f"{total.connections} connections, {total.requests} requests, {len(worlds)} worlds, engines {engines}")
    print(f"{len(total.violations)} violations in {seconds:.1f} s")
    for violation in total.violations[:SHOWN]:
        print(f"VIOLATED {violation}")
    missing = total.missing()
    if missing and options.seeds >= CLIENTS:
        print(f"NEVER MET {missing}")
    return 1 if total.violations or (missing and options.seeds >= CLIENTS) else 0


def _run(number: int, engines: list[str], plant: str | None) -> Ledger:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore", ResourceWarning)
    with PLANTS[plant]() if plant else nullcontext():
        return run_world(number, engines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=10_000, help="connections, rounded up to whole worlds")
    parser.add_argument("--first", type=int, default=0, metavar="WORLD", help="number of the first world")
    parser.add_argument(
        "--engine", action="append", help="engines to serve with, in turn; all that are here by default"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--plant", choices=sorted(PLANTS), help="a bug to put in")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
