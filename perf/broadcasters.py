"""Who sends a WebSocket message to all, and the command that starts each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from compiled import program
from contestants import Contestant, Setting
from peers import PEERS, peer_python, versions
from workloads import Workload

__all__ = ["BROADCASTERS", "FLOOR", "LENGTH", "SIZES", "WORKLOADS"]

HOME = Path(__file__).parent
SERVERS = HOME / "servers"
FLOOR = "c-broadcast"
LENGTH = 128
SIZES = (1000, 10_000)
WORKLOADS = {
    number: Workload(f"broadcast-{number}", f"broadcast of {LENGTH} bytes to {number:,}", content=number)
    for number in SIZES
}
EVERY = frozenset(workload.name for workload in WORKLOADS.values())

Maker = Callable[[Setting], Contestant]


def _floor(setting: Setting) -> Contestant:
    built = str(program("floors/broadcast.c", setting.cache))
    return Contestant(FLOOR, "C: frame once, N sends", "floor", lambda ground: [built, str(ground.port)], EVERY)


def _highper(transport: str) -> Maker:
    def make(setting: Setting) -> Contestant:
        command = [setting.python, str(SERVERS / "broadcast_highper.py"), transport]
        packages = versions(setting.python, ["uvloop"] if transport == "uvloop" else [])
        title = f"Highper, {transport}, a hub of listeners"
        return Contestant(
            f"highper-{transport}", title, "highper", lambda ground: command, EVERY, packages, (HOME.parent,)
        )

    return make


def _peer(name: str, title: str) -> Maker:
    def make(setting: Setting) -> Contestant:
        python = peer_python(name, setting.python, setting.cache, setting.refresh)
        command = [python, str(SERVERS / f"broadcast_{name}.py")]
        packages = versions(python, PEERS[name])
        return Contestant(name, title, "peer", lambda ground: command, EVERY, packages, (SERVERS,))

    return make


BROADCASTERS: dict[str, Maker] = {
    FLOOR: _floor,
    "highper-epoll": _highper("epoll"),
    "highper-uvloop": _highper("uvloop"),
    "highper-asyncio": _highper("asyncio"),
    "picows": _peer("picows", "picows on uvloop, a loop of sends"),
    "websockets": _peer("websockets", "websockets on uvloop, its broadcast"),
}
