"""Where results go, and what they were measured on."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from compiled import compiler

__all__ = ["RESULTS", "commit", "environment", "newest", "write_results"]

RESULTS = Path(__file__).parent / "results"
SYSCTLS = ("net/core/somaxconn", "net/ipv4/tcp_rmem", "net/ipv4/tcp_wmem", "net/ipv4/tcp_congestion_control")


def environment(python: str) -> dict[str, Any]:
    """Return what a figure depends on besides the commit; nothing that names the machine."""
    return {
        "python": _first_line([python, "-c", _PYTHON]),
        "kernel": platform.release().partition("-")[0],
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "compiler": _first_line([compiler(), "--version"]),
        "openssl": _first_line([python, "-c", "import ssl; print(ssl.OPENSSL_VERSION)"]),
        "load generators": _first_line(["wrk", "--version"]).partition(" Copyright")[0] + "; perf/load/load.c",
        "open files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "sysctls": {name.replace("/", "."): _sysctl(name) for name in SYSCTLS},
    } | {name: _version(python, name) for name in ("cython", "h11", "uvloop", "orjson")}


def commit() -> str:
    """Return the commit that is measured, marked where there is more than it."""
    return _first_line(["git", "-C", str(RESULTS), "describe", "--always", "--dirty"]) or "unknown"


def write_results(name: str, results: object, path: Path | None = None) -> Path:
    """Write `results` as JSON to `path`, else to a file named after `name` and the present second; return it."""
    RESULTS.mkdir(exist_ok=True)
    path = path or RESULTS / f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(results, indent=1) + "\n")
    partial.replace(path)
    return path


def newest(name: str) -> Path:
    """Return the newest results called `name`.

    Raises:
        FileNotFoundError: there are none.
    """
    found = sorted(RESULTS.glob(f"{name}-2*.json"))
    if not found:
        raise FileNotFoundError(f"no results of {name} in {RESULTS}")
    return found[-1]


_PYTHON = "import platform; print(platform.python_implementation(), platform.python_version())"
_VERSION = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"


def _version(python: str, name: str) -> str:
    return _first_line([python, "-c", _VERSION, name]) or "absent"


def _first_line(command: list[str]) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return next(iter(answer.stdout.splitlines()), "").strip()


def _sysctl(name: str) -> str:
    try:
        return " ".join(Path("/proc/sys", name).read_text().split())
    except OSError:
        return "unreadable"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
