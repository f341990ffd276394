"""Servers and clients, a process each, in pairs that hold as many connections as one process may have descriptors."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import resource
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .memory import private_bytes

__all__ = ["Pair", "room_per_process"]

HOME = Path(__file__).parent
SPARE = 500  # descriptors of a process that are left for anything else
START_PATIENCE = 20.0
SOURCES = 4  # addresses a client connects from


def room_per_process() -> int:
    """Return how many connections one process holds, having raised its limit as far as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard - SPARE


class Pair:
    """A server, and the client that holds connections to it.

    Args:
        number: of the pair, from 1; it decides the client's addresses.
        transport: of the server.
        certificate: files of chain and key, to speak TLS.
    """

    def __init__(self, number: int, transport: str, certificate: tuple[str, str] | None = None) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.held = 0
        self._tls = certificate is not None
        path = os.pathsep.join([str(HOME.parents[1]), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        script = str(HOME.parent / "servers" / "resting_app.py")
        self._server = subprocess.Popen(
            [sys.executable, script, transport, str(self.port), *(certificate or ())],
            env={**os.environ, "PYTHONPATH": path},
            stderr=subprocess.DEVNULL,
        )
        sources = [f"127.{number >> 8}.{number & 255}.{last}" for last in range(1, SOURCES + 1)]
        tls = ["--tls"] if self._tls else []
        self._client = subprocess.Popen(
            [sys.executable, "-I", str(HOME / "client.py"), str(self.port), *sources, *tls],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ready()

    def open(self, number: int) -> None:
        """Let the client hold `number` connections more, each answered once."""
        answer = self._order({"open": number})
        self.held = int(answer["held"])

    def ask(self, number: int, pause: float = 0.0) -> list[float]:
        """Ask on `number` of the connections; return the seconds that each answer took."""
        times: list[float] = self._order({"ask": number, "pause": pause})["times"]
        return times

    def private_bytes(self) -> int:
        """Return the bytes that only the server has."""
        return private_bytes(self._server.pid)

    def collector(self) -> dict[str, Any]:
        """Return what the garbage collector did in the server, and let it collect everything once more."""
        connection: http.client.HTTPConnection
        if self._tls:
            context = ssl._create_unverified_context()
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port)
        with contextlib.closing(connection):
            connection.request("GET", "/collector")
            found: dict[str, Any] = json.load(connection.getresponse())
        return found

    def close(self) -> None:
        """End both."""
        for process in (self._client, self._server):
            process.kill()
            process.wait()

    def _order(self, order: dict[str, object]) -> dict[str, Any]:
        assert self._client.stdin is not None
        assert self._client.stdout is not None
        self._client.stdin.write(json.dumps(order) + "\n")
        self._client.stdin.flush()
        line = self._client.stdout.readline()
        if not line:
            raise RuntimeError("a client has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _ready(self) -> None:
        give_up = time.monotonic() + START_PATIENCE
        while time.monotonic() < give_up and self._server.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.02)
        self.close()
        raise RuntimeError("a server did not start")
