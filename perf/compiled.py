"""Small C programs, compiled where they are missing or older than their sources."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

__all__ = ["compiler", "program"]

HOME = Path(__file__).parent

_EMBEDDING = """
import json, sys, sysconfig
name = "python%d.%d" % sys.version_info[:2]
library = sysconfig.get_config_var("LIBDIR")
include = sysconfig.get_path("include")
print(json.dumps(["-I" + include, "-L" + library, "-Wl,-rpath," + library, "-l" + name, "-ldl", "-lm"]))
"""


def program(source: str, cache: Path, python: str | None = None) -> Path:
    """Return the program built from `source`.

    Args:
        source: C file, relative to this folder.
        cache: directory that receives the program.
        python: an interpreter to embed.

    Raises:
        subprocess.CalledProcessError: the compiler refused it, or the interpreter has no library to embed.
    """
    file = HOME / source
    flags: list[str] = []
    name = file.stem
    if python is not None:
        flags = json.loads(subprocess.run([python, "-c", _EMBEDDING], capture_output=True, check=True).stdout)
        name += "".join(flag[2:] for flag in flags if flag.startswith("-lpython"))
    built = cache / "programs" / name
    newest = max(path.stat().st_mtime for path in (file, *file.parent.glob("*.h")))
    if not built.exists() or built.stat().st_mtime < newest:
        built.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([compiler(), "-O2", "-Wall", "-Wextra", "-o", str(built), str(file), *flags], check=True)
    return built


def compiler() -> str:
    """Return the command of the C compiler."""
    return os.environ.get("CC", "cc")
