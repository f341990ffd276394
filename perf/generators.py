"""The load generators: wrk for as many requests as it takes, `load.c` for what wrk cannot do."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from compiled import program
from cpu_time import cores
from workloads import Workload

__all__ = ["CONNECTIONS", "Load", "LoadFailed", "generate", "saturate"]

HOME = Path(__file__).parent
CONNECTIONS = 64
SLACK = 20.0  # seconds beyond its own that a generator has


class LoadFailed(Exception):
    """A generator saw errors or wrong answers; the message is what it printed."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a generator saw. Times are in microseconds, None where it does not take them properly."""

    requests: int
    seconds: float
    unanswered: int = 0
    p50: float | None = None
    p99: float | None = None
    p999: float | None = None


def saturate(workload: Workload, port: int, seconds: int) -> Load:
    """Let wrk send as much as it can on `CONNECTIONS` connections from one thread.

    Raises:
        LoadFailed: it reports errors.
    """
    url = f"http{'s' if workload.tls else ''}://127.0.0.1:{port}{workload.target}"
    script = ["-s", str(HOME / "load" / "requests.lua")] if workload.pipeline > 1 or workload.content else []
    numbers = [str(workload.pipeline), str(workload.content)] if script else []
    command = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", *script, url, "--", *numbers]
    printed = _run(command, seconds)
    complaints = [line.strip() for line in printed.splitlines() if "Socket errors" in line or "Non-2xx" in line]
    found = re.search(r"(\d+) requests in ([\d.]+)s", printed)
    if found is None or complaints or int(found[1]) == 0:
        raise LoadFailed("; ".join(complaints) or "no answer")
    return Load(int(found[1]), float(found[2]))


def generate(
    workload: Workload, port: int, cache: Path, seconds: float, rate: float = 0, warm_up: float = 0, churn: bool = False
) -> Load:
    """Send `rate` requests a second, or with 0 as many as it takes; with `churn` each on a connection of its own.

    Raises:
        LoadFailed: a connection broke, or an answer was not as long as it must be.
    """
    request = workload.file(cache, "request", workload.request())
    options = ["-f", str(request), "-l", str(len(workload.answer.body)), "-c", str(CONNECTIONS)]
    options += ["-r", str(rate), "-s", str(seconds), "-w", str(warm_up), *(["-x"] if churn else [])]
    seen = json.loads(_run([str(program("load/load.c", cache)), *options, str(port)], seconds + warm_up))
    if seen["errors"]:
        raise LoadFailed(f"{seen['errors']} errors beside {seen['requests']} answers")
    return Load(seen["requests"], seen["seconds"], seen["unanswered"], seen["p50"], seen["p99"], seen["p999"])


def _run(command: list[str], seconds: float) -> str:
    pinned = ["taskset", "-c", str(cores()[1]), *command]
    try:
        answer = subprocess.run(pinned, capture_output=True, text=True, check=False, timeout=seconds + SLACK)
    except subprocess.TimeoutExpired as error:
        raise LoadFailed("the load generator did not come to an end") from error
    if answer.returncode:
        raise LoadFailed(" ".join((answer.stdout + answer.stderr).split()))
    return answer.stdout
