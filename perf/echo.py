"""Echoes of WebSocket messages beside other servers and a floor in C: CPU time of the server for each message.

Usage: python perf/echo.py [--size 32,1024] [--only a,b] [--rounds N] [--seconds S] [--python PATH]
                           [--append [FILE]] [--minutes M] [--cache DIR] [--refresh] [--unsaved]

64 connections, one message on its way on each, every byte of the echo compared. Every round runs each server once, in
a fresh process; ratios are taken within a round. Results are written after every round, and `--append` goes on with
them. See README.md for the method.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from compare import UNFINISHED, add_options, begin
from compiled import program
from contestants import Contestant, Setting
from cpu_time import cores, tree_cpu_seconds
from echoers import CALLBACKS, COROUTINES, ECHOERS, FLOOR, SIZES, WORKLOADS
from generators import CONNECTIONS, SLACK
from measure import WARM_UP, Run
from measured import Results
from peers import Uninstallable
from record import write_results
from running import Unfit, running
from workloads import Workload

__all__ = ["measure_echo", "prepare", "table"]


def measure_echo(contestant: Contestant, workload: Workload, cache: Path, seconds: float) -> Run:
    """Run `contestant` once.

    Raises:
        Unfit: it did not start, or a connection broke or an echo was wrong.
    """
    load = ["taskset", "-c", str(cores()[1]), str(program("load/messages.c", cache)), "-l", str(workload.content)]
    load += ["-c", str(CONNECTIONS), "-s", str(seconds), "-w", str(WARM_UP)]
    with running(contestant, workload, cache) as server:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen([*load, str(server.port)], text=True, **pipes) as generator:  # type: ignore[call-overload]
            try:
                begun = generator.stdout.readline()
                before = tree_cpu_seconds(server.pid)
                seen = generator.stdout.readline()
                cpu = tree_cpu_seconds(server.pid) - before
                _, complaint = generator.communicate(timeout=seconds + SLACK)
            finally:
                generator.kill()
    if not begun or not seen:
        raise Unfit(f"under load: {complaint.strip() or 'no answer'}")
    told = json.loads(seen)
    if told["errors"] or not told["messages"]:
        raise Unfit(f"{told['errors']} connections broke or echoed wrongly beside {told['messages']} echoes")
    return {
        "microseconds": cpu / told["messages"] * 1e6,
        "rate": told["messages"] / told["seconds"],
        "busy": cpu / told["seconds"],
    }


def prepare(names: list[str], setting: Setting) -> tuple[list[Contestant], dict[str, str]]:
    """Return the contestants, and for each that cannot take part the reason."""
    ready, absent = [], {}
    for name in names:
        try:
            ready.append(ECHOERS[name](setting))
        except Uninstallable as error:
            absent[name] = str(error)
    return ready, absent


def table(results: Results) -> str:
    """Return the figures of every size, best first, and the ratios that are promised about."""
    lines = []
    for name in results.workloads:
        lines += [f"### {WORKLOADS[name].title}", ""]
        lines += ["| server | style | us/message | spread | of C | messages/s | core busy |", "|---" * 7 + "|"]
        medians = {one: results.median(name, one, "microseconds") or 0 for one in results.names(name)}
        for one in sorted(medians, key=lambda one: medians[one]):
            ratio = results.ratio(name, one, FLOOR)
            style = "coroutine" if one in COROUTINES else "callbacks" if one in CALLBACKS else ""
            cells = [
                results.title(one),
                style,
                f"{medians[one]:.2f}",
                f"{results.spread(name, one, 'microseconds'):.0%}",
            ]
            cells += ["" if ratio is None else f"{ratio:.2f}", f"{results.median(name, one, 'rate') or 0:,.0f}"]
            lines.append("| " + " | ".join([*cells, f"{results.median(name, one, 'busy') or 0:.0%}"]) + " |")
        lines += ["", *(f"- {one}: {reason}" for one, reason in results.absent(name).items())]
        lines += [*_promises(results, name, medians), ""]
    return "\n".join(lines)


def _promises(results: Results, workload: str, medians: dict[str, float]) -> list[str]:
    """Return how our two styles stand to the best peer: of the coroutines, and of any style."""
    lines = []
    for ours, among in (("highper-epoll", COROUTINES.keys()), ("highper-epoll-listener", ECHOERS.keys())):
        peers = [one for one in medians if one in among and results.kind(one) == "peer"]
        if ours in medians and peers:
            best = min(peers, key=lambda one: medians[one])
            lines.append(f"- {ours} over {best}: {results.ratio(workload, ours, best):.2f}")
    return lines


def main() -> int:
    """Run the comparison; return a process status."""
    options = _options()
    setting = Setting(options.python, options.cache, options.refresh)
    try:
        results, path = begin(options.append, "echo", options.python, options.seconds)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    contestants, absent = prepare(options.only, setting)
    deadline = time.monotonic() + 60 * options.minutes
    for size in options.size:
        workload = WORKLOADS[f"echo-{size}"]
        for name, reason in absent.items():
            results.note_absent(workload.name, name, reason)
        for contestant in contestants:
            results.note_contestant(contestant)
        while any(results.rounds_of(workload.name, one.name) < options.rounds for one in contestants):
            if time.monotonic() > deadline:
                print(f"time is up; `--append {path}` goes on", flush=True)
                return UNFINISHED
            runs = _round(contestants, workload, options.cache, options.seconds)
            results.add_round(workload.name, runs)
            for one in [one for one in contestants if one.name not in runs]:
                results.note_absent(workload.name, one.name, "failed twice in a round")
            contestants = [one for one in contestants if one.name in runs]
            if not options.unsaved:
                path = write_results("echo", results.as_json(), path)
    print("\n" + table(results))
    return 0


def _round(contestants: list[Contestant], workload: Workload, cache: Path, seconds: float) -> dict[str, Run]:
    """Run each once, and once more where it failed; who fails twice is not in the answer."""
    runs: dict[str, Run] = {}
    for contestant in contestants:
        print(f"{workload.name:<10} {contestant.name:<26}", end="", flush=True)
        for _ in range(2):
            try:
                run = runs[contestant.name] = measure_echo(contestant, workload, cache, seconds)
            except Unfit as error:
                print(f"failed: {error}  ", end="", flush=True)
            else:
                print("  ".join(f"{name} {value:,.2f}" for name, value in run.items()), end="", flush=True)
                break
        print(flush=True)
    return runs


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_options(parser, seconds=2)
    parser.add_argument("--size", type=lambda text: list(map(int, text.split(","))), default=list(SIZES))
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(ECHOERS), help=", ".join(ECHOERS))
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--unsaved", action="store_true", help="write no results")
    options = parser.parse_args()
    if unknown := [name for name in options.only if name not in ECHOERS]:
        parser.error(f"unknown servers: {', '.join(unknown)}; known are {', '.join(ECHOERS)}")
    if unknown := [str(size) for size in options.size if size not in SIZES]:
        parser.error(f"unknown sizes: {', '.join(unknown)}; known are {', '.join(map(str, SIZES))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
