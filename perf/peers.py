"""Other servers, each in a virtual environment of its own, made on first use.

One environment each, because one peer's pins hold another back: robyn's, say, keeps uvloop at an older release for all.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

__all__ = ["PEERS", "peer_python", "versions"]

PEERS: dict[str, list[str]] = {
    "uvicorn": ["uvicorn", "httptools", "uvloop"],
    "granian": ["granian[uvloop]"],
}

_LIST_VERSIONS = """
import importlib.metadata, json, sys
print(json.dumps({name: importlib.metadata.version(name) for name in sys.argv[1:]}))
"""


def peer_python(name: str, python: str, cache: Path, refresh: bool = False) -> str:
    """Return the interpreter of the environment of peer `name`, installing the newest releases when it is new.

    Args:
        name: key of `PEERS`.
        python: interpreter the environment is made from.
        cache: directory that holds the environments.
        refresh: look for newer releases in an environment that exists.
    """
    tag = subprocess.run(
        [python, "-c", "import sys; print(sys.implementation.cache_tag)"], capture_output=True, text=True, check=True
    ).stdout.strip()
    home = cache / f"{name}-{tag}"
    interpreter = home / "bin" / "python"
    installed = home / "installed"
    if refresh or not installed.exists():
        print(f"installing {name} ...", file=sys.stderr, flush=True)
        subprocess.run([python, "-m", "venv", str(home)], check=True)
        subprocess.run([str(interpreter), "-m", "pip", "install", "-q", "--upgrade", *PEERS[name]], check=True)
        installed.touch()
    return str(interpreter)


def versions(interpreter: str, packages: list[str]) -> dict[str, str]:
    """Return the installed versions of `packages`, extras ignored."""
    names = [package.partition("[")[0] for package in packages]
    answer = subprocess.run([interpreter, "-c", _LIST_VERSIONS, *names], capture_output=True, text=True, check=True)
    return dict(json.loads(answer.stdout))
