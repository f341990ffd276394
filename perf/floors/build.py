"""Compile the floors, small C programs that show the least a server can cost."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

__all__ = ["floor"]

SOURCES = Path(__file__).parent


def floor(name: str, cache: Path) -> Path:
    """Return the built program `name`, compiling it where it is missing or older than its source.

    Args:
        name: stem of a C file beside this one.
        cache: directory that receives the program.

    Raises:
        subprocess.CalledProcessError: the compiler refused it.
    """
    source, program = SOURCES / f"{name}.c", cache / "floors" / name
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        program.parent.mkdir(parents=True, exist_ok=True)
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), str(source)], check=True)
    return program
