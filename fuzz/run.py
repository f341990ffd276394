"""Fuzz the compiled engine with coverage feedback under AddressSanitizer.

Usage: python fuzz/run.py [--executions N] [--seconds S] [--jobs J] [--harness a,b] [--start raw|valid] [--sample N]
    [--build DIR] [--keep-build]

Executions are shared out over the harnesses and two starts: `raw`, where an input is the bytes themselves, and `valid`,
where it spells a valid message and edits of it, so that these executions, half of all, start from a message that is
valid. Afterwards every input that was kept is run once more with all oracles. Prints a table, writes `report.json` in
the build directory; status 1 for any finding, whose input libFuzzer leaves beside the report.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from instrument import HOME, build

PLAN = [
    ("http_request", "raw", 0.15),
    ("http_request", "valid", 0.15),
    ("http_response", "raw", 0.10),
    ("http_response", "valid", 0.15),
    ("chunked", "raw", 0.05),
    ("chunked", "valid", 0.10),
    ("operations", "raw", 0.10),
    ("frames", "raw", 0.10),
    ("frames", "valid", 0.10),
]
LONGEST = {"raw": 512, "valid": 56}
ASAN = "detect_leaks=0:malloc_context_size=0:quarantine_size_mb=8:allocator_may_return_null=1"


@dataclass(frozen=True, slots=True)
class Result:
    """What one fuzzing process reports. Edges and features are libFuzzer's `cov` and `ft`."""

    harness: str
    start: str
    executions: int
    per_second: int
    edges: int
    edges_in_all: int
    features: int
    corpus: int
    peak_megabytes: int
    replayed: int
    finding: str


def main() -> int:
    """Build, fuzz, replay, report; return a process status."""
    options = _options()
    directory = options.build.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / "embed"
    if not options.keep_build or not program.exists():
        program, modules = build(directory)
        print(f"instrumented: {', '.join(modules)}", flush=True)
    chosen = [row for row in PLAN if row[0] in options.harness and options.start in (None, row[1])]
    whole = sum(share for _, _, share in chosen)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = [pool.submit(_fuzz, program, name, start, share / whole, options) for name, start, share in chosen]
        results = [_announced(future) for future in concurrent.futures.as_completed(futures)]
    _report(directory, results)
    return int(any(result.finding for result in results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    names = sorted({name for name, _, _ in PLAN})
    parser.add_argument("--executions", type=int, default=100_000, help="of all processes together")
    parser.add_argument("--seconds", type=int, default=0, help="bound of the whole run; 0 for none")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--harness", type=lambda text: text.split(","), default=names)
    parser.add_argument("--start", choices=["raw", "valid"], help="one start alone")
    parser.add_argument("--build", type=Path, default=Path("build") / "fuzz")
    parser.add_argument("--keep-build", action="store_true", help="use the program and modules built before")
    parser.add_argument("--sample", type=int, default=128, help="every n-th input meets the other engine and readers")
    return parser.parse_args()


def _fuzz(program: Path, harness: str, start: str, share: float, options: argparse.Namespace) -> Result:
    corpus = program.parent / "corpus" / f"{harness}-{start}"
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = HOME / "corpus" / f"{harness}-{start}"
    executions = round(options.executions * share)
    seconds = math.ceil(options.seconds * options.jobs * share)
    arguments = [f"-runs={executions}", f"-max_len={LONGEST[start]}", "-print_final_stats=1", "-timeout=20"]
    arguments += ["-rss_limit_mb=4096", f"-max_total_time={seconds}"]
    if start == "raw" and harness not in ("operations", "frames"):
        arguments.append(f"-dict={HOME / 'http.dict'}")
    directories = [str(corpus), *([str(seeds)] if seeds.is_dir() else [])]
    log = _run(program, harness, start, options.sample, [*arguments, *directories])
    finding = _finding(log)
    replay = "" if finding else _run(program, harness, start, 1, ["-runs=0", "-timeout=60", str(corpus)])
    finding = finding or _finding(replay)
    (program.parent / f"{harness}-{start}.log").write_text(log + replay)
    last = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)/", log)
    edges, features, kept = (int(text) for text in last[-1]) if last else (0, 0, 0)
    return Result(
        harness,
        start,
        _number(log, r"number_of_executed_units:\s+(\d+)"),
        _number(log, r"average_exec_per_sec:\s+(\d+)"),
        edges,
        _number(log, r"\((\d+) inline 8-bit counters\)"),
        features,
        kept,
        _number(log, r"peak_rss_mb:\s+(\d+)"),
        len(list(corpus.iterdir())) if replay else 0,
        finding,
    )


def _run(program: Path, harness: str, start: str, sample: int, arguments: list[str]) -> str:
    paths = [str(HOME), str(program.parent / "tree")]
    environment = {
        **os.environ,
        "HIGHPER_FUZZ_HARNESS": harness,
        "HIGHPER_FUZZ_PYTHON": sys.executable,
        "HIGHPER_FUZZ_START": start,
        "HIGHPER_FUZZ_SAMPLE": str(sample),
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONMALLOC": "malloc",  # so that ASan knows where each object ends
        "PYTHONHASHSEED": "0",
        "ASAN_OPTIONS": ASAN,
    }
    artifacts = f"-artifact_prefix={program.parent}/{harness}-{start}-"
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        status = subprocess.run(
            [str(program), artifacts, *arguments], env=environment, stdout=log, stderr=log, check=False
        ).returncode
        log.seek(0)
        return log.read() + (f"\nexit status {status}\n" if status else "")


def _finding(log: str) -> str:
    """Return what a process that stopped early said about it, or an empty string."""
    if "exit status" not in log:
        return ""
    told = re.search(r"(AssertionError.*|\w+Error: .*|ERROR: .*|SUMMARY: .*)", log)
    return told[1][:400] if told else log[-400:]


def _number(log: str, pattern: str) -> int:
    found = re.search(pattern, log)
    return int(found[1]) if found else 0


def _announced(future: concurrent.futures.Future[Result]) -> Result:
    result = future.result()
    print(f"{result.harness} {result.start}: {result.executions} executions {result.finding or 'clean'}", flush=True)
    return result


def _report(directory: Path, results: list[Result]) -> None:
    results.sort(key=lambda result: (result.harness, result.start))
    titles = ("harness", "start", "executions", "exec/s", "edges", "of", "features", "corpus", "peak MB", "finding")
    print(f"\n{titles[0]:<16}{titles[1]:<7}" + "".join(f"{title:>11}" for title in titles[2:]))
    for row in results:
        figures = (
            row.executions,
            row.per_second,
            row.edges,
            row.edges_in_all,
            row.features,
            row.corpus,
            row.peak_megabytes,
        )
        print(
            f"{row.harness:<16}{row.start:<7}" + "".join(f"{figure:>11}" for figure in figures), row.finding or "none"
        )
    executions = sum(row.executions for row in results)
    from_valid = sum(row.executions for row in results if row.start == "valid")
    replayed = sum(row.replayed for row in results)
    print(
        f"\n{executions} executions, {from_valid} of them from valid messages; "
        f"{replayed} kept inputs replayed with every oracle"
    )
    report = {"executions": executions, "from_valid": from_valid, "results": [asdict(row) for row in results]}
    (directory / "report.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
