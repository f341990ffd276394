"""Broadcasts of WebSocket messages beside other servers and a floor in C: CPU time of the server for each delivery.

Usage: python perf/broadcast.py [--sockets 1000,10000] [--only a,b] [--rounds N] [--seconds S] [--python PATH]
                                [--append [FILE]] [--minutes M] [--cache DIR] [--refresh] [--unsaved]

One of so many sockets says 128 bytes, the server sends them to all, and when the last has heard them, every byte
compared, the next is said. Every round runs each server once, in a fresh process; ratios are taken within a round. The
method is that of the comparison, see README.md.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from broadcasters import BROADCASTERS, FLOOR, LENGTH, SIZES, WORKLOADS
from compare import UNFINISHED, add_options, begin
from contestants import Contestant, Setting
from cpu_time import cores, tree_cpu_seconds
from measure import WARM_UP, Run
from measured import Results
from peers import Uninstallable
from record import write_results
from running import Unfit, running
from workloads import Workload

__all__ = ["measure_broadcast", "table"]

HOME = Path(__file__).parent
SPARE = 200  # descriptors that are no sockets
OPENING_TIME = 0.002  # seconds for each socket to be opened, at most


def measure_broadcast(contestant: Contestant, workload: Workload, cache: Path, seconds: float) -> Run:
    """Run `contestant` once.

    Raises:
        Unfit: it did not start, or somebody did not hear what was said.
    """
    number = workload.content
    load = ["taskset", "-c", str(cores()[1]), sys.executable, str(HOME / "load" / "crowd.py")]
    numbers = [number, LENGTH, seconds, WARM_UP]
    with running(contestant, workload, cache) as server:
        command = [*load, str(server.port), *map(str, numbers)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, text=True, stdout=pipe, stderr=pipe) as crowd:
            assert crowd.stdout is not None
            try:
                begun = crowd.stdout.readline()
                before = tree_cpu_seconds(server.pid)
                seen = crowd.stdout.readline()
                cpu = tree_cpu_seconds(server.pid) - before
                _, complaint = crowd.communicate(timeout=seconds + 10 + number * OPENING_TIME)
            finally:
                crowd.kill()
    if not begun or not seen:
        raise Unfit(f"under load: {(complaint.strip().splitlines() or ['no answer'])[-1]}")
    told = json.loads(seen)
    return {
        "microseconds": cpu / told["deliveries"] * 1e6,
        "rate": told["deliveries"] / told["seconds"],
        "busy": cpu / told["seconds"],
    }


def table(results: Results) -> str:
    """Return the figures of every size, best first."""
    lines = []
    for name in results.workloads:
        title = next(workload.title for workload in WORKLOADS.values() if workload.name == name)
        lines += [f"### {title}", "", "| server | us/delivery | spread | of C | deliveries/s | core busy |"]
        lines += ["|---" * 6 + "|"]
        medians = {one: results.median(name, one, "microseconds") or 0 for one in results.names(name)}
        for one in sorted(medians, key=lambda one: medians[one]):
            spread, ratio = results.spread(name, one, "microseconds"), results.ratio(name, one, FLOOR)
            rate, busy = (results.median(name, one, figure) or 0 for figure in ("rate", "busy"))
            of_floor = "" if ratio is None else f"{ratio:.2f}"
            cells = [
                results.title(one),
                f"{medians[one]:.2f}",
                f"{spread:.0%}",
                of_floor,
                f"{rate:,.0f}",
                f"{busy:.0%}",
            ]
            lines.append("| " + " | ".join(cells) + " |")
        lines += ["", *(f"- {one}: {reason}" for one, reason in results.absent(name).items()), ""]
    return "\n".join(lines)


def main() -> int:
    """Run the comparison; return a process status."""
    options = _options()
    setting = Setting(options.python, options.cache, options.refresh)
    _allow_descriptors(max(options.sockets) + SPARE)
    try:
        results, path = begin(options.append, "broadcast", options.python, options.seconds)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    results.note_method("connections", options.sockets)
    contestants, absent = [], {}
    for name in options.only:
        try:
            contestants.append(BROADCASTERS[name](setting))
        except Uninstallable as error:
            absent[name] = str(error)
    deadline = time.monotonic() + 60 * options.minutes
    for number in options.sockets:
        workload = WORKLOADS[number]
        for name, reason in absent.items():
            results.note_absent(workload.name, name, reason)
        able = list(contestants)
        for one in able:
            results.note_contestant(one)
        while any(results.rounds_of(workload.name, one.name) < options.rounds for one in able):
            if time.monotonic() > deadline:
                print(f"time is up; `--append {path}` goes on", flush=True)
                return UNFINISHED
            runs: dict[str, Run] = {}
            for one in list(able):
                print(f"{workload.name:<16} {one.name:<20}", end="", flush=True)
                try:
                    run = runs[one.name] = measure_broadcast(one, workload, options.cache, options.seconds)
                except Unfit as error:
                    print(f"failed: {error}", flush=True)
                    results.note_absent(workload.name, one.name, str(error))
                    able.remove(one)
                else:
                    print("  ".join(f"{name} {value:,.2f}" for name, value in run.items()), flush=True)
            results.add_round(workload.name, runs)
            if not options.unsaved:
                path = write_results("broadcast", results.as_json(), path)
    print("\n" + table(results))
    return 0


def _allow_descriptors(number: int) -> None:
    """Raise the soft limit, which server and load inherit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(number, hard) if hard >= 0 else number, hard))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_options(parser, seconds=2)
    parser.add_argument("--sockets", type=lambda text: list(map(int, text.split(","))), default=list(SIZES))
    names = ", ".join(BROADCASTERS)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(BROADCASTERS), help=names)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--unsaved", action="store_true", help="write no results")
    options = parser.parse_args()
    if unknown := [name for name in options.only if name not in BROADCASTERS]:
        parser.error(f"unknown servers: {', '.join(unknown)}; known are {names}")
    if unknown := [number for number in options.sockets if number not in SIZES]:
        parser.error(f"sockets are {' or '.join(map(str, SIZES))}, not {unknown[0]}")
    return options


if __name__ == "__main__":
    sys.exit(main())
