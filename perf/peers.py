"""Other servers, each in a virtual environment of its own, made on first use.

One environment each, because one peer's pins hold another back: robyn's, say, keeps uvloop at an older release for all.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache as remembered
from pathlib import Path

__all__ = ["PEERS", "Uninstallable", "peer_python", "versions"]

PEERS: dict[str, list[str]] = {
    "uvicorn": ["uvicorn", "httptools", "uvloop", "orjson"],
    "granian": ["granian[uvloop]", "orjson"],
    "socketify": ["socketify", "orjson"],
    "fastpysgi": ["fastpysgi", "orjson"],
    "blacksheep": ["blacksheep", "uvicorn", "httptools", "uvloop", "granian[uvloop]", "orjson"],
    "starlette": ["starlette", "uvicorn", "httptools", "uvloop", "orjson"],
    "aiohttp": ["aiohttp[speedups]", "uvloop", "orjson"],
    "sanic": ["sanic", "uvloop", "orjson"],
    "robyn": ["robyn", "orjson"],
    "falcon": ["falcon", "uvicorn", "httptools", "uvloop", "orjson"],
    "uvicorn-websockets": ["uvicorn", "httptools", "uvloop", "websockets"],
    "websockets": ["websockets", "uvloop"],
    "picows": ["picows", "uvloop"],
}

_LIST_VERSIONS = """
import importlib.metadata, json, sys
print(json.dumps({name: importlib.metadata.version(name) for name in sys.argv[1:]}))
"""


class Uninstallable(Exception):
    """A peer does not install here; the message says why."""


@remembered
def peer_python(name: str, python: str, cache: Path, refresh: bool = False) -> str:
    """Return the interpreter of the environment of peer `name`, installing the newest releases when it is new.

    Args:
        name: key of `PEERS`.
        python: interpreter the environment is made from.
        cache: directory that holds the environments.
        refresh: look for newer releases in an environment that exists.

    Raises:
        Uninstallable: the installer refuses.
    """
    home = cache / "peers" / f"{name}-{_tag(python)}"
    interpreter = home / "bin" / "python"
    installed = home / "installed"
    if refresh or not installed.exists():
        print(f"installing {name} ...", file=sys.stderr, flush=True)
        pip = [str(interpreter), "-m", "pip", "install", "-q", "--upgrade"]
        for command in ([python, "-m", "venv", str(home)], [*pip, "pip", *PEERS[name]]):
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
            if answer.returncode:
                last = (answer.stderr.strip() or answer.stdout.strip()).splitlines()[-1:]
                reason = re.sub(r"\S*/\S*", "...", "".join(last)) or f"status {answer.returncode}"
                raise Uninstallable(f"does not install: {reason}")
        installed.touch()
    return str(interpreter)


@remembered
def _tag(python: str) -> str:
    script = "import sys; print(sys.implementation.cache_tag)"
    return subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def versions(interpreter: str, packages: list[str]) -> dict[str, str]:
    """Return the installed versions of `packages`, extras ignored."""
    names = [package.partition("[")[0] for package in packages]
    answer = subprocess.run([interpreter, "-c", _LIST_VERSIONS, *names], capture_output=True, text=True, check=True)
    return dict(json.loads(answer.stdout))
