"""Where results go, and what they were measured on."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["environment", "write_results"]

RESULTS = Path(__file__).parent / "results"


def environment(python: str) -> dict[str, str]:
    """Return the versions a figure depends on; nothing that names the machine."""
    script = "import platform; print(platform.python_implementation(), platform.python_version())"
    version = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    return {
        "python": version,
        "kernel": platform.release().partition("-")[0],
        "processor": _processor(),
        "commit": _commit(),
    } | {name: _version(name) for name in ("cython", "h11", "uvloop", "httptools")}


def write_results(name: str, results: object) -> Path:
    """Write `results` as JSON named after `name` and the present second; return its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    path.write_text(json.dumps(results, indent=2) + "\n")
    return path


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    answer = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=RESULTS.parent, capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or "unknown"
