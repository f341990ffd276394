"""One measured run: start a server on its core, load it from the other, read its CPU time."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

from contestants import Contestant
from cpu_time import cores, tree_cpu_seconds

__all__ = ["Run", "measure"]

BODY = b"Hello, World!"
CONNECTIONS = 64
START_PATIENCE = 20.0
WARM_UP = 0.5


@dataclass(frozen=True, slots=True)
class Run:
    """What one run showed."""

    requests: int
    seconds: float
    cpu_seconds: float

    @property
    def microseconds(self) -> float:
        """CPU time per request."""
        return self.cpu_seconds / self.requests * 1e6

    @property
    def rate(self) -> float:
        """Requests per second: of interest only beside the CPU time, since the client may be what limits it."""
        return self.requests / self.seconds


def measure(contestant: Contestant, seconds: float) -> Run:
    """Start `contestant` afresh, warm it up, load it for `seconds`, and stop it.

    The bodies are compared before and after, so a server that answers errors fast cannot win.

    Raises:
        RuntimeError: it did not start, answered wrongly, or the load generator saw errors.
    """
    with _running(contestant) as (pid, port):
        _check_body(contestant.name, port)
        _load(port, WARM_UP)
        before = tree_cpu_seconds(pid)
        requests, elapsed = _load(port, seconds)
        cpu_seconds = tree_cpu_seconds(pid) - before
        _check_body(contestant.name, port)
    return Run(requests, elapsed, cpu_seconds)


@contextlib.contextmanager
def _running(contestant: Contestant) -> Iterator[tuple[int, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        ["taskset", "-c", str(cores()[0]), *contestant.command(port)],
        env={**os.environ, **contestant.environment},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _await_port(contestant.name, process, port)
        yield process.pid, port
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await_port(name: str, process: subprocess.Popen[bytes], port: int) -> None:
    give_up = time.monotonic() + START_PATIENCE
    while time.monotonic() < give_up and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"{name} did not start")


def _check_body(name: str, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        answer = b""
        while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < len(BODY):
            piece = client.recv(65536)
            if not piece:
                break
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 ") or body != BODY:
        raise RuntimeError(f"{name} answered {answer!r}")


def _load(port: int, seconds: float) -> tuple[int, float]:
    command = [
        "wrk",
        "-t",
        "1",
        "-c",
        str(CONNECTIONS),
        "-d",
        f"{max(1, round(seconds))}s",
        f"http://127.0.0.1:{port}/",
    ]
    answer = subprocess.run(["taskset", "-c", str(cores()[1]), *command], capture_output=True, text=True, check=True)
    found = re.search(r"(\d+) requests in ([\d.]+)s", answer.stdout)
    if found is None or "Socket errors" in answer.stdout or "Non-2xx" in answer.stdout:
        raise RuntimeError(f"the load generator reports errors:\n{answer.stdout}{answer.stderr}")
    return int(found[1]), float(found[2])
