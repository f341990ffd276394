"""Who runs in the comparison, and the command that starts each.

Floors and loops bound what is possible; Highper runs on each of its transports; peers run with the fastest of their
documented settings, newest releases, access logs off, no answer that is made without their application.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal

from compiled import program
from peers import PEERS, Uninstallable, peer_python, versions
from workloads import WORKLOADS, Workload

__all__ = ["CONTESTANTS", "FLOOR", "Contestant", "Ground", "Setting", "known", "prepare"]

HOME = Path(__file__).parent
SERVERS = HOME / "servers"
FLOOR = "l0"

Kind = Literal["floor", "loop", "highper", "peer"]


@dataclass(frozen=True, slots=True)
class Setting:
    """What the commands depend on."""

    python: str
    cache: Path
    refresh: bool = False


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a server is to listen, and for which workload."""

    port: int
    workload: Workload
    certificate: tuple[Path, Path]


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server that can be started, on the workloads it is for."""

    name: str
    title: str
    kind: Kind
    command: Callable[[Ground], list[str]]
    workloads: frozenset[str]
    packages: Mapping[str, str] = field(default_factory=dict)
    path: tuple[Path, ...] = ()
    lacks: Mapping[str, str] = field(default_factory=dict)

    def environment(self, ground: Ground) -> dict[str, str]:
        """Return the environment variables to start it with; see `servers/given.py`."""
        given = {"PORT": str(ground.port), "WORKLOAD": ground.workload.name}
        if ground.workload.tls:
            given |= dict(zip(("CERTIFICATE", "KEY"), map(str, ground.certificate), strict=True))
        return {**os.environ, **given, "PYTHONPATH": os.pathsep.join(map(str, self.path))}


EVERY = frozenset(WORKLOADS)
SMALL = frozenset({"plaintext", "pipelined", "churn", "latency"})

Maker = Callable[[Setting], Contestant]


def _l0(setting: Setting) -> Contestant:
    built = str(program("floors/l0.c", setting.cache))

    def command(ground: Ground) -> list[str]:
        workload = ground.workload
        options = {"pipelined": ["-p"], "churn": ["-c"], "upload": ["-b", str(workload.content)]}.get(workload.name, [])
        answer = workload.file(setting.cache, "answer", workload.answer.head() + workload.answer.body)
        return [built, *options, "-a", str(answer), str(ground.port)]

    title = "C: receive, send a constant"
    return Contestant(FLOOR, title, "floor", command, frozenset(name for name in EVERY if not WORKLOADS[name].tls))


def _l1(setting: Setting) -> Contestant:
    built = str(program("floors/l1.c", setting.cache))
    return Contestant("l1", "C: and read heads", "floor", lambda ground: [built, str(ground.port)], SMALL)


def _l2(setting: Setting) -> Contestant:
    built = str(program("floors/l2.c", setting.cache, setting.python))
    title = "C: and call an async def"
    return Contestant("l2", title, "floor", lambda ground: [built, str(ground.port)], SMALL)


def _loop(loop: str) -> Maker:
    def make(setting: Setting) -> Contestant:
        return Contestant(
            f"{loop}-protocol",
            f"{loop}, constant writer",
            "loop",
            lambda ground: [setting.python, str(SERVERS / "constant.py"), loop],
            frozenset({"plaintext", "latency"}),
            versions(setting.python, ["uvloop"] if loop == "uvloop" else []),
        )

    return make


def _highper(name: str, title: str, transport: str, *options: str, workloads: frozenset[str] = EVERY) -> Maker:
    def make(setting: Setting) -> Contestant:
        script = str(SERVERS / "highper_app.py")
        return Contestant(
            f"highper-{name}",
            f"Highper, {title}",
            "highper",
            lambda ground: [setting.python, script, transport, *options],
            workloads,
            versions(setting.python, ["orjson", *(["uvloop"] if "uvloop" in (transport, *options) else [])]),
            (HOME.parent,),
        )

    return make


def _peer(name: str, title: str, environment: str, script: str, *arguments: str, **lacks: str) -> Maker:
    def make(setting: Setting) -> Contestant:
        python = peer_python(environment, setting.python, setting.cache, setting.refresh)
        reasons = dict(lacks)
        if "tls" in lacks:
            reasons["idle-tls"] = lacks["tls"]
        return Contestant(
            name,
            title,
            "peer",
            lambda ground: [python, str(SERVERS / script), *arguments],
            EVERY,
            versions(python, PEERS[environment]),
            lacks=reasons,
        )

    return make


def _granian(name: str, title: str, environment: str, interface: str, module: str) -> Maker:
    def make(setting: Setting) -> Contestant:
        python = peer_python(environment, setting.python, setting.cache, setting.refresh)

        tasks = "rust" if _minor(setting.python) == "3.11" else "asyncio"  # the faster is refused from 3.12 on

        def command(ground: Ground) -> list[str]:
            options = ["--workers", "1", "--runtime-mode", "st", "--runtime-threads", "1", "--loop", "uvloop"]
            options += ["--http", "1", "--no-ws", "--no-access-log", "--log-level", "warning"]
            options += ["--backlog", "1024", "--backpressure", "20000", "--task-impl", tasks]
            if ground.workload.pipeline > 1:
                options.append("--http1-pipeline-flush")
            if ground.workload.tls:
                certificate, key = map(str, ground.certificate)
                options += ["--ssl-certificate", certificate, "--ssl-keyfile", key]
            place = ["--host", "127.0.0.1", "--port", str(ground.port), "--interface", interface]
            return [python, "-m", "granian", *place, *options, f"{module}:app"]

        return Contestant(name, title, "peer", command, EVERY, versions(python, PEERS[environment]), (SERVERS,))

    return make


CONTESTANTS: dict[str, Maker] = {
    FLOOR: _l0,
    "l1": _l1,
    "l2": _l2,
    "uvloop-protocol": _loop("uvloop"),
    "asyncio-protocol": _loop("asyncio"),
    "highper-epoll": _highper("epoll", "epoll", "epoll"),
    "highper-epoll-inline": _highper(
        "epoll-inline",
        "epoll, inline def",
        "epoll",
        "inline",
        workloads=frozenset({"plaintext", "pipelined", "latency"}),
    ),
    "highper-epoll-in-uvloop": _highper("epoll-in-uvloop", "epoll in a uvloop", "epoll", "embedded"),
    "highper-uvloop": _highper("uvloop", "uvloop", "uvloop"),
    "highper-asyncio": _highper("asyncio", "asyncio", "asyncio"),
    "fastpysgi-wsgi": _peer("fastpysgi-wsgi", "fastpysgi, WSGI", "fastpysgi", "on_fastpysgi.py", "bare_wsgi"),
    "fastpysgi-asgi": _peer("fastpysgi-asgi", "fastpysgi, ASGI", "fastpysgi", "on_fastpysgi.py", "bare_asgi"),
    "socketify": _peer("socketify", "socketify, def", "socketify", "on_socketify.py"),
    "granian-rsgi": _granian("granian-rsgi", "granian, RSGI", "granian", "rsgi", "bare_rsgi"),
    "granian-asgi": _granian("granian-asgi", "granian, ASGI", "granian", "asgi", "bare_asgi"),
    "uvicorn": _peer("uvicorn", "uvicorn, bare ASGI", "uvicorn", "on_uvicorn.py", "bare_asgi"),
    "blacksheep-granian": _granian(
        "blacksheep-granian", "BlackSheep on granian", "blacksheep", "asgi", "on_blacksheep"
    ),
    "blacksheep-uvicorn": _peer(
        "blacksheep-uvicorn", "BlackSheep on uvicorn", "blacksheep", "on_uvicorn.py", "on_blacksheep"
    ),
    "starlette": _peer("starlette", "Starlette on uvicorn", "starlette", "on_uvicorn.py", "on_starlette"),
    "falcon": _peer("falcon", "falcon on uvicorn", "falcon", "on_uvicorn.py", "on_falcon"),
    "aiohttp": _peer("aiohttp", "aiohttp on uvloop", "aiohttp", "on_aiohttp.py"),
    "sanic": _peer("sanic", "sanic", "sanic", "on_sanic.py"),
    "robyn": _peer(
        "robyn", "robyn", "robyn", "on_robyn.py", "--log-level", "WARN", "--disable-openapi", tls="robyn has no TLS"
    ),
}


def prepare(names: list[str], setting: Setting, others: list[str]) -> tuple[list[Contestant], dict[str, str]]:
    """Build and install whatever `names` need.

    Args:
        names: keys of `CONTESTANTS`, for Highper also with "@3.13", say, for one of `others`.
        setting: the main interpreter, and where things are kept.
        others: further interpreters.

    Returns:
        The contestants, and for each that cannot take part here the reason.
    """
    ready, absent = [], {}
    settings = {"": setting} | {f"@{_minor(python)}": replace(setting, python=python) for python in others}
    for name in names:
        plain, at, minor = name.partition("@")
        try:
            contestant = CONTESTANTS[plain](settings[at + minor])
        except Uninstallable as error:
            absent[name] = str(error)
        except subprocess.CalledProcessError as error:
            absent[name] = f"{Path(error.cmd[0]).name} fails with status {error.returncode}"
        else:
            title = f"{contestant.title}, Python {minor}" if minor else contestant.title
            ready.append(replace(contestant, name=name, title=title))
    return ready, absent


def known(others: list[str]) -> list[str]:
    """Return the names `prepare` takes: with `others`, Highper and the floor that embeds Python once more for each."""
    again = [name for name in CONTESTANTS if name.startswith("highper") or name == "l2"]
    return [*CONTESTANTS, *(f"{name}@{_minor(python)}" for python in others for name in again)]


@cache
def _minor(python: str) -> str:
    script = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
