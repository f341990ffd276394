"""Who echoes WebSocket messages, and the command that starts each: by a coroutine for each connection, or by callbacks.

Peers run with the fastest of their documented settings, newest releases, without compression and keep-alive pings.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from compiled import program
from contestants import Contestant, Ground, Setting
from peers import PEERS, peer_python, versions
from workloads import Workload

__all__ = ["CALLBACKS", "COROUTINES", "ECHOERS", "FLOOR", "SIZES", "WORKLOADS"]

HOME = Path(__file__).parent
SERVERS = HOME / "servers"
FLOOR = "c-echo"
SIZES = (32, 1024, 65536)
WORKLOADS = {f"echo-{size}": Workload(f"echo-{size}", f"echo of {size:,} bytes", content=size) for size in SIZES}
EVERY = frozenset(WORKLOADS)

Maker = Callable[[Setting], Contestant]


def _floor(setting: Setting) -> Contestant:
    built = str(program("floors/echo.c", setting.cache))
    return Contestant(FLOOR, "C: unmask, frame, send", "floor", lambda ground: [built, str(ground.port)], EVERY)


def _highper(name: str, title: str, transport: str, style: str) -> Maker:
    def make(setting: Setting) -> Contestant:
        script = str(SERVERS / "echo_highper.py")
        packages = versions(setting.python, ["uvloop"] if transport == "uvloop" else [])
        command = [setting.python, script, transport, style]
        return Contestant(name, title, "highper", lambda ground: command, EVERY, packages, (HOME.parent,))

    return make


def _peer(name: str, title: str, environment: str, script: str) -> Maker:
    def make(setting: Setting) -> Contestant:
        python = peer_python(environment, setting.python, setting.cache, setting.refresh)
        command = [python, str(SERVERS / script)]
        packages = versions(python, PEERS[environment])
        return Contestant(name, title, "peer", lambda ground: command, EVERY, packages, (SERVERS,))

    return make


def _granian(name: str, title: str, interface: str, module: str) -> Maker:
    def make(setting: Setting) -> Contestant:
        python = peer_python("granian", setting.python, setting.cache, setting.refresh)

        def command(ground: Ground) -> list[str]:
            options = ["--workers", "1", "--runtime-mode", "st", "--runtime-threads", "1", "--loop", "uvloop"]
            options += ["--http", "1", "--no-access-log", "--log-level", "critical", "--backlog", "1024"]
            place = ["--host", "127.0.0.1", "--port", str(ground.port), "--interface", interface]
            return [python, "-m", "granian", *place, *options, f"{module}:app"]

        return Contestant(name, title, "peer", command, EVERY, versions(python, PEERS["granian"]), (SERVERS,))

    return make


COROUTINES: dict[str, Maker] = {
    "highper-epoll": _highper("highper-epoll", "Highper, epoll, coroutine", "epoll", "coroutine"),
    "highper-uvloop": _highper("highper-uvloop", "Highper, uvloop, coroutine", "uvloop", "coroutine"),
    "highper-asyncio": _highper("highper-asyncio", "Highper, asyncio, coroutine", "asyncio", "coroutine"),
    "aiohttp": _peer("aiohttp", "aiohttp on uvloop", "aiohttp", "echo_aiohttp.py"),
    "uvicorn": _peer("uvicorn", "uvicorn, websockets, ASGI", "uvicorn-websockets", "echo_asgi.py"),
    "websockets": _peer("websockets", "websockets on uvloop", "websockets", "echo_websockets.py"),
    "granian-rsgi": _granian("granian-rsgi", "granian, RSGI", "rsgi", "echo_rsgi"),
    "granian-asgi": _granian("granian-asgi", "granian, ASGI", "asgi", "echo_asgi"),
}
CALLBACKS: dict[str, Maker] = {
    "highper-epoll-listener": _highper("highper-epoll-listener", "Highper, epoll, listener", "epoll", "listener"),
    "highper-uvloop-listener": _highper("highper-uvloop-listener", "Highper, uvloop, listener", "uvloop", "listener"),
    "picows": _peer("picows", "picows on uvloop", "picows", "echo_picows.py"),
    "socketify": _peer("socketify", "socketify", "socketify", "echo_socketify.py"),
}
ECHOERS: dict[str, Maker] = {FLOOR: _floor} | COROUTINES | CALLBACKS
