"""Run the cases under callgrind."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from .slopes import slopes

__all__ = ["count_instructions"]

HOME = Path(__file__).parent
PATIENCE = 120.0  # seconds
OPTIONS = ["--tool=callgrind", "--instr-atstart=no", "--collect-atstart=no"]


def count_instructions(python: str, tree: Path) -> dict[str, float]:
    """Return the instructions each case costs with the packages in `tree`.

    Addresses and hashes are the same in every run, so the figures are too, to a part in a thousand.

    Raises:
        RuntimeError: valgrind or a compiler is missing, or a case failed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        marks = Path(scratch, "marks.so")
        compiler = os.environ.get("CC", "cc")
        _run([compiler, "-O2", "-shared", "-fPIC", "-o", str(marks), str(HOME / "marks.c")], scratch)
        command = [python, "-P", str(HOME), str(tree), str(marks)]
        _run(["setarch", "-R", "valgrind", *OPTIONS, f"--callgrind-out-file={scratch}/out", *command], scratch)
        return slopes([file.read_text() for file in Path(scratch).glob("out.*")])


def _run(command: list[str], scratch: str) -> None:
    # nothing of the caller's environment: its size alone moves the stack
    environment = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "HOME": scratch}
    try:
        done = subprocess.run(command, env=environment, cwd=scratch, capture_output=True, text=True, timeout=PATIENCE)
    except FileNotFoundError as error:
        raise RuntimeError(f"{error.filename} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{command[0]} did not end within {PATIENCE:g} s") from error
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
