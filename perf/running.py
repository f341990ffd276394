"""A server under test: started on its core, watched, asked whether it answers as it must, and ended."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

from contestants import Contestant, Ground
from cpu_time import cores
from workloads import Workload

__all__ = ["Running", "Unfit", "certificate", "running"]

HOME = Path(__file__).parent
START_PATIENCE = 20.0
ANSWER_PATIENCE = 10.0


class Unfit(Exception):
    """A server did not start, did not answer as it must, or failed under load; the message says what."""


class Running:
    """A server that listens."""

    def __init__(self, contestant: Contestant, ground: Ground, process: subprocess.Popen[bytes], log: Path) -> None:
        self.contestant = contestant
        self.workload = ground.workload
        self.port = ground.port
        self.pid = process.pid
        self._process = process
        self._log = log

    def check(self) -> None:
        """Ask once, and compare status, type, body and fields.

        Raises:
            Unfit: they differ, or there is no answer.
        """
        expected = self.workload.answer
        try:
            status, fields, body = self._ask()
        except (OSError, http.client.HTTPException) as error:
            raise Unfit(f"does not answer: {type(error).__name__} {error}") from error
        found = (status, fields["content-type"], {name: fields[name] for name in expected.fields})
        if found != (200, expected.content_type, expected.fields):
            raise Unfit(f"answers {found}")
        if body != expected.body:
            raise Unfit(f"answers {body[:40]!r} of {len(body)} bytes, not {expected.body[:40]!r}")

    def await_start(self) -> None:
        """Wait until it accepts.

        Raises:
            Unfit: it ended, or does not in time.
        """
        give_up = time.monotonic() + START_PATIENCE
        while time.monotonic() < give_up and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.02)
        raise Unfit(f"does not start{(ended := self.ended()) and f': {ended}'}")

    def ended(self) -> str:
        """Return how it ended by itself, empty if it still runs."""
        status = self._process.poll()
        if status is None:
            return ""
        how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        last = self._log.read_text(errors="replace").strip().splitlines()[-1:]
        return ", ".join([how, *last]).replace(str(HOME.parent), "...")

    def _ask(self) -> tuple[int, Message, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_PATIENCE)
        if self.workload.tls:
            context = ssl._create_unverified_context()
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=ANSWER_PATIENCE, context=context)
        with contextlib.closing(connection):
            connection.request(self.workload.method, self.workload.target, body=b"u" * self.workload.content or None)
            if isinstance(connection.sock, ssl.SSLSocket) and connection.sock.version() != "TLSv1.3":
                raise Unfit(f"speaks {connection.sock.version()}")
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()


@contextlib.contextmanager
def running(contestant: Contestant, workload: Workload, cache: Path) -> Iterator[Running]:
    """Run `contestant` on its core in a process of its own.

    Raises:
        Unfit: it does not start or answer.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        ground = Ground(probe.getsockname()[1], workload, certificate(cache))
    log = cache / "files" / "server.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            ["taskset", "-c", str(cores()[0]), *contestant.command(ground)],
            env=contestant.environment(ground),
            stdout=subprocess.DEVNULL,
            stderr=file,
            start_new_session=True,
        )
    try:
        server = Running(contestant, ground, process, log)
        server.await_start()
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def certificate(cache: Path) -> tuple[Path, Path]:
    """Return the files of a self-signed P-256 certificate and its key (PKCS #8), made on first use."""
    chain, key = cache / "files" / "certificate.pem", cache / "files" / "key.pem"
    if not (chain.exists() and key.exists()):
        chain.parent.mkdir(parents=True, exist_ok=True)
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650"]
        name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        command = ["openssl", "req", "-x509", *curve, *name, "-keyout", str(key), "-out", str(chain)]
        subprocess.run(command, check=True, capture_output=True)
    return chain, key
