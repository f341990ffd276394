"""Who runs in the plaintext comparison, and the command that starts each."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from floors.build import floor
from peers import PEERS, peer_python, versions

__all__ = ["CONTESTANTS", "FLOOR", "Contestant", "Setting", "prepare"]

HOME = Path(__file__).parent
FLOOR = "l0"


@dataclass(frozen=True, slots=True)
class Setting:
    """What the commands depend on."""

    python: str
    cache: Path
    refresh: bool


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server that can be started on a port."""

    name: str
    command: Callable[[int], list[str]]
    environment: Mapping[str, str]
    versions: Mapping[str, str]


def _floor(setting: Setting) -> Contestant:
    program = str(floor("l0", setting.cache))
    return Contestant(FLOOR, lambda port: [program, str(port)], {}, {})


def _script(name: str, script: str, argument: str) -> Callable[[Setting], Contestant]:
    def build(setting: Setting) -> Contestant:
        path = str(HOME / "servers" / script)
        python_path = os.pathsep.join([str(HOME.parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
        return Contestant(
            name,
            lambda port: [setting.python, path, argument, str(port)],
            {"PYTHONPATH": python_path.rstrip(os.pathsep)},
            versions(setting.python, ["uvloop"] if argument == "uvloop" else []),
        )

    return build


def _uvicorn(setting: Setting) -> Contestant:
    python = peer_python("uvicorn", setting.python, setting.cache, setting.refresh)
    options = ["--no-access-log", "--log-level", "warning", "--loop", "uvloop", "--http", "httptools"]
    return Contestant(
        "uvicorn",
        lambda port: [python, "-m", "uvicorn", "peer_asgi:app", "--lifespan", "off", *options, "--port", str(port)],
        {"PYTHONPATH": str(HOME / "servers")},
        versions(python, PEERS["uvicorn"]),
    )


def _granian(setting: Setting) -> Contestant:
    python = peer_python("granian", setting.python, setting.cache, setting.refresh)
    options = ["--workers", "1", "--loop", "uvloop", "--no-access-log", "--log-level", "warning"]
    return Contestant(
        "granian",
        lambda port: [
            str(Path(python).with_name("granian")),
            "--interface",
            "rsgi",
            *options,
            "--port",
            str(port),
            "peer_rsgi:app",
        ],
        {"PYTHONPATH": str(HOME / "servers")},
        versions(python, PEERS["granian"]) | versions(python, ["uvloop"]),
    )


CONTESTANTS: dict[str, Callable[[Setting], Contestant]] = {
    FLOOR: _floor,
    "uvloop-protocol": _script("uvloop-protocol", "constant.py", "uvloop"),
    "asyncio-protocol": _script("asyncio-protocol", "constant.py", "asyncio"),
    "highper-uvloop": _script("highper-uvloop", "highper_app.py", "uvloop"),
    "highper-asyncio": _script("highper-asyncio", "highper_app.py", "asyncio"),
    "uvicorn": _uvicorn,
    "granian": _granian,
}


def prepare(names: list[str], setting: Setting) -> list[Contestant]:
    """Build and install whatever `names` need. The floor always takes part, first.

    Raises:
        KeyError: a name is not in `CONTESTANTS`.
    """
    ordered = [FLOOR, *(name for name in names if name != FLOOR)]
    return [CONTESTANTS[name](setting) for name in ordered]
