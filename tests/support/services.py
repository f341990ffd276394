"""Services of several processes, as tests start and watch them."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import highper_http

ROOT = Path(highper_http.__file__).parents[1]  # what is installed, not what a fresh clone holds
PATIENCE = 30.0  # seconds until what should happen is taken not to

APPLICATION = """
import os
import signal
import time

import anyio

from highper_http import App

VERSION = "1"
app = App()


@app.get("/")
async def home(req):
    return f"{VERSION} {os.getpid()}"


@app.get("/slow/{seconds:float}")
async def slow(req):
    await anyio.sleep(req.param("seconds"))
    return "slept"


@app.get("/stream/{pieces:int}")
async def stream(req, res):
    async with res.stream() as send:
        for _ in range(req.param("pieces")):
            await send(b"piece")
            await anyio.sleep(0.01)


@app.get("/block/{seconds:float}")
async def block(req):
    time.sleep(req.param("seconds"))
    return "blocked"


@app.get("/signal/{number:int}")
async def die(req):
    os.kill(os.getpid(), req.param("number"))
    return "alive"


@app.get("/hoard")
async def hoard(req):
    app.hoarded = bytes(bytearray(64 * 1024 * 1024))
    return "hoarded"
"""


def until(condition: Callable[[], Any], what: str = "") -> Any:
    """Return what `condition` returns, once that is true."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, what or "it did not happen"
        time.sleep(0.01)
    return found


class Service:
    """A running `highper run`, its log in a file."""

    def __init__(self, process: subprocess.Popen[bytes], directory: Path, log: Path) -> None:
        self.process = process
        self.directory = directory
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_for(self, pattern: str, count: int = 1) -> list[Any]:
        """Wait until the log has `pattern` so often; return all that were found."""

        def look() -> list[Any]:
            found = re.findall(pattern, self.log)
            if len(found) >= count:
                return found
            assert self.process.poll() is None or not count, f"it ended: {self.log}"
            return []

        try:
            return list(until(look))
        except AssertionError as error:
            raise AssertionError(f"{pattern!r} x {count} not in:\n{self.log}") from error

    def ready(self, count: int) -> list[int]:
        """Wait for so many workers in all, and return their ids in order of readiness."""
        return [int(pid) for pid in self.wait_for(r"worker (\d+) is ready", count)]

    @property
    def address(self) -> Any:
        """Where it listens."""
        [place] = self.wait_for(r"listening at (\S+)")[:1]
        if "+unix:" in place:
            return place.partition("+unix:")[2]
        return "127.0.0.1", int(place.rpartition(":")[2])

    def connect(self) -> socket.socket:
        address = self.address
        peer = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        peer.settimeout(PATIENCE)
        peer.connect(address)
        return peer

    def get(self, target: str = "/") -> str:
        """Return the content of an answer, on a connection of its own."""
        with self.connect() as peer:
            peer.sendall(f"GET {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".encode())
            answer = b""
            while data := peer.recv(65536):
                answer += data
        return answer.partition(b"\r\n\r\n")[2].decode()

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Stop it and return its exit code."""
        self.send(number)
        return self.process.wait(PATIENCE)


@contextmanager
def serving(directory: Path, *arguments: str, source: str | None = APPLICATION, **options: Any) -> Iterator[Service]:
    """Run `highper run served:app` with `arguments` in `directory`; nothing of it is left afterwards."""
    if source is not None:
        (directory / "served.py").write_text(source)
    log = directory / "log"
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("HIGHPER_", "NOTIFY", "LISTEN"))
    }
    environ |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **options.pop("env", {})}
    command = [sys.executable, "-P", "-m", "highper_http", "run", "served:app", *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(
            options.pop("command", command),
            cwd=directory,
            env=environ,
            stdout=output,
            stderr=output,
            start_new_session=True,
            **options,
        )
    service = Service(process, directory, log)
    try:
        yield service
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
