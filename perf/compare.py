"""Highper beside other servers and beside floors in C: CPU time per request, rates, waiting times, memory.

Usage: python perf/compare.py [--workload a,b] [--only a,b] [--rounds N] [--seconds S] [--quick] [--python PATH]...
                              [--append [FILE]] [--minutes M] [--again] [--name NAME] [--cache DIR] [--refresh]

Every round runs each server once, in a fresh process, so that drift of the machine falls on all alike. Results are
written after every round; `--append` goes on with them: what has its rounds is not run again, and `--minutes` ends a
piece early with status 75. See README.md for what the figures mean.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from contestants import CONTESTANTS, FLOOR, Contestant, Setting, known, prepare
from generators import CONNECTIONS
from measure import Run, measure
from measured import Results
from record import commit, environment, newest, write_results
from report import table
from running import Unfit
from workloads import WORKLOADS, Workload

__all__ = ["CACHE", "UNFINISHED", "Comparison", "add_options", "begin"]

UNFINISHED = 75
QUICK = [FLOOR, "highper-epoll", "highper-uvloop", "fastpysgi-wsgi", "granian-rsgi", "uvicorn"]
CACHE = Path(__file__).parent / ".cache"
SHARE = 0.7  # of the best peer's saturation: the rate at which waiting times are compared


class Comparison:
    """Runs contestants in rounds and keeps what they showed.

    Args:
        results: what there is already; added to.
        path: where results are written after each round; None for a new file.
        name: of a new file.
        deadline: of `time.monotonic`, after which no round begins.
    """

    def __init__(self, results: Results, path: Path | None, name: str, cache: Path, deadline: float) -> None:
        self.results = results
        self.path = path
        self.finished = True
        self._name = name
        self._cache = cache
        self._deadline = deadline

    def run(self, workload: Workload, contestants: Iterable[Contestant], rounds: int, seconds: int) -> None:
        """Run those of `contestants` that are for `workload` until each has its rounds: one where memory is measured,
        which does not vary.
        """
        rounds = 1 if workload.kind == "idle" else rounds
        taking_part = []
        for contestant in contestants:
            if reason := contestant.lacks.get(workload.name):
                self.results.note_absent(workload.name, contestant.name, reason)
            elif workload.name in contestant.workloads:
                taking_part.append(contestant)
                self.results.note_contestant(contestant)
        rate = self.results.rate_for(workload, SHARE) if workload.kind == "latency" else 0
        while waiting := self._waiting(workload, taking_part, rounds):
            if time.monotonic() > self._deadline:
                self.finished = False
                return
            self._round(workload, waiting, rounds, seconds, rate)

    def _waiting(self, workload: Workload, contestants: list[Contestant], rounds: int) -> list[Contestant]:
        """Return who has rounds to run; those that others are divided by run in every round."""
        absent = self.results.absent(workload.name)
        able = [contestant for contestant in contestants if contestant.name not in absent]
        behind = [one for one in able if self.results.rounds_of(workload.name, one.name) < rounds]
        if not any(one.name not in (FLOOR, "uvicorn") for one in behind):
            return behind
        return [one for one in able if one in behind or one.name == FLOOR or (workload.tls and one.name == "uvicorn")]

    def _round(self, workload: Workload, contestants: list[Contestant], rounds: int, seconds: int, rate: float) -> None:
        runs: dict[str, Run] = {}
        for contestant in contestants:
            done = self.results.rounds_of(workload.name, contestant.name)
            print(f"{workload.name:<10} {done + 1:>2}/{rounds}  {contestant.name:<28}", end="", flush=True)
            run = self._measure(workload, contestant, seconds, rate)
            if run is not None:
                runs[contestant.name] = run
                print("  ".join(f"{name} {value:,.2f}" for name, value in run.items()), flush=True)
        self.results.add_round(workload.name, runs)
        self.path = write_results(self._name, self.results.as_json(), self.path)

    def _measure(self, workload: Workload, contestant: Contestant, seconds: int, rate: float) -> Run | None:
        """Measure once, and once more where it failed; who fails twice is out, and the results say why."""
        for last in (False, True):
            try:
                return measure(contestant, workload, self._cache, seconds, rate)
            except Unfit as error:
                print(f"{'out' if last else 'again'}: {error}  ", end="\n" if last else "", flush=True)
                if last:
                    self.results.note_absent(workload.name, contestant.name, str(error))
        return None


def main() -> int:
    """Run the comparison; return a process status."""
    options = _options()
    setting = Setting(options.python[0], options.cache, options.refresh)
    try:
        results, path = begin(options.append, options.name, options.python[0], options.seconds)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if options.again:
        results.forget_absence(options.only)
    ready, absent = prepare(options.only, setting, options.python[1:])
    comparison = Comparison(results, path, options.name, options.cache, time.monotonic() + 60 * options.minutes)
    for name, reason in absent.items():
        print(f"{name} cannot take part: {reason}", flush=True)
    for name in options.workload:
        for absentee, reason in absent.items():
            results.note_absent(name, absentee, reason)
        try:
            comparison.run(WORKLOADS[name], ready, options.rounds, options.seconds)
        except LookupError as error:
            print(error, file=sys.stderr)
            return 2
        if not comparison.finished:
            print(f"time is up; `--append {comparison.path}` goes on", flush=True)
            return UNFINISHED
    print("\n" + table(results))
    print(f"written to {comparison.path}")
    return 0


def begin(append: str | None, name: str, python: str, seconds: int) -> tuple[Results, Path | None]:
    """Return the results to go on with and their file: those in `append`, or with "newest" those called `name`.

    Where there are none they are new and have no file yet.

    Raises:
        ValueError: those to go on with are from another environment.
    """
    here = environment(python)
    try:
        path = newest(name) if append == "newest" else Path(append) if append else None
    except FileNotFoundError:
        path = None
    if path is None:
        results = Results(here, {"connections": CONNECTIONS, "seconds": seconds})
    else:
        results = Results.read(path)
        if difference := results.differs_from(here):
            raise ValueError(f"{path.name} is from another environment: {difference}")
    results.note_commit(commit())
    return results, path


def add_options(parser: argparse.ArgumentParser, seconds: int) -> None:
    """Add the options that every comparison has."""
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=seconds, help="of each run, at least 1")
    parser.add_argument("--cache", type=Path, default=CACHE, help="environments and programs are kept here")
    parser.add_argument("--refresh", action="store_true", help="look for newer releases of the peers")
    parser.add_argument("--append", nargs="?", const="newest", help="go on with these results, or the newest")
    parser.add_argument("--minutes", type=float, default=600, help="begin no round after so many")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_options(parser, seconds=2)
    parser.add_argument("--workload", type=_names, default=list(WORKLOADS), help=f"of {', '.join(WORKLOADS)}")
    parser.add_argument("--only", type=_names, help=f"of {', '.join(CONTESTANTS)}; Highper also with @3.13, say")
    parser.add_argument("--python", action="append", help="repeated: Highper runs on each, peers on the first")
    parser.add_argument("--name", default="compare", help="of the results")
    parser.add_argument("--again", action="store_true", help="with --append: who was out may try again")
    parser.add_argument("--quick", action="store_true", help="few servers, three rounds of a second, two workloads")
    options = parser.parse_args()
    options.python = options.python or [sys.executable]
    options.only = options.only or (QUICK if options.quick else known(options.python[1:]))
    if options.quick:
        options.rounds, options.seconds, options.name = 3, 1, "quick"
        if options.workload == list(WORKLOADS):
            options.workload = ["plaintext", "pipelined"]
    names = known(options.python[1:])
    if unknown := [name for name in options.only if name not in names]:
        parser.error(f"unknown servers: {', '.join(unknown)}; known are {', '.join(names)}")
    if unknown := [name for name in options.workload if name not in WORKLOADS]:
        parser.error(f"unknown workloads: {', '.join(unknown)}; known are {', '.join(WORKLOADS)}")
    return options


def _names(text: str) -> list[str]:
    return text.split(",")


if __name__ == "__main__":
    sys.exit(main())
