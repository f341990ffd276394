"""systemd, as its manuals describe it: sockets that are passed, and a service that tells its state."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.services import Service, serving

from highper_transports.errors import BindingInvalid
from highper_transports.systemd import Notifier, passed_sockets

RUN = (
    "import os, sys; os.environ['LISTEN_PID'] = str(os.getpid()); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


class Manager:
    """The end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.settimeout(30)
        self.told: list[str] = []

    def wait_for(self, line: str) -> str:
        """Return the first message, among those that were not waited for yet, with a line that begins so."""
        while True:
            message = self._socket.recv(4096).decode()
            self.told.append(message)
            if any(item.startswith(line) for item in message.split("\n")):
                return message

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """One that listens at a path or at an abstract name."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@highper-test-{os.getpid()}"
    made = Manager(address)
    yield made
    made.close()


def test_a_supervised_service_tells_its_state(tmp_path: Path, manager: Manager) -> None:
    """READY when all workers serve, RELOADING with the moment, READY again, STOPPING."""
    options = ["--workers", "2", "--port", "0", "--transport", "asyncio"]
    with serving(tmp_path, *options, env={"NOTIFY_SOCKET": manager.address}) as service:
        assert "STATUS=2 of 2 workers serve" in manager.wait_for("READY=1")
        assert len(service.ready(2)) == 2
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        service.send(signal.SIGHUP)
        message = manager.wait_for("RELOADING=1")
        moment = int(re.findall(r"^MONOTONIC_USEC=(\d+)$", message, re.MULTILINE)[0])
        assert before <= moment <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        manager.wait_for("READY=1")
        (tmp_path / "served.py").write_text("broken broken\n")
        service.send(signal.SIGHUP)
        manager.wait_for("RELOADING=1")
        manager.wait_for("READY=1")  # a reload that failed has ended, too
        service.send(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        assert service.process.wait(10) == 0


def test_a_single_process_tells_its_state(tmp_path: Path, manager: Manager) -> None:
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "400000"}
    with serving(tmp_path, "--port", "0", "--transport", "asyncio", env=environ) as service:
        manager.wait_for("READY=1")
        manager.wait_for("WATCHDOG=1")
        service.send(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        assert service.process.wait(10) == 0


def test_the_watchdog_is_fed_in_time(tmp_path: Path, manager: Manager) -> None:
    """Twice in its interval, by the supervisor's own loop."""
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "3000000"}
    options = ["--workers", "1", "--port", "0", "--transport", "asyncio"]
    with serving(tmp_path, *options, env=environ) as service:
        manager.wait_for("READY=1")
        manager.wait_for("WATCHDOG=1")
        for _ in range(2):
            before = time.monotonic()
            manager.wait_for("WATCHDOG=1")
            assert time.monotonic() - before < 3
        assert service.end() == 0


def activated(directory: Path, sockets: list[socket.socket], names: str, *options: str) -> Iterator[Service]:
    """Run with `sockets` from descriptor 3 on, as systemd does."""
    command = [sys.executable, "-c", RUN, "-P", "-m", "highper_http", "run", "served:app", *options]
    copies = [os.dup(item.fileno()) for item in sockets]

    def place() -> None:
        for number, fd in enumerate(copies):
            os.dup2(fd, 50 + number)
        for number in range(len(copies)):
            os.dup2(50 + number, 3 + number)

    environ = {"LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": names}
    with serving(
        directory,
        env=environ,
        command=command,
        preexec_fn=place,
        close_fds=False,
    ) as service:
        yield service
    for fd in copies:
        os.close(fd)


@pytest.mark.parametrize("workers", [[], ["--workers", "2"]], ids=["alone", "supervised"])
def test_sockets_that_are_passed_are_served(tmp_path: Path, workers: list[str]) -> None:
    """TCP and Unix, without a word about where; they stay the manager's when the service ends."""
    path = str(tmp_path / "passed.sock")
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(path)
        unix.listen()
        for service in activated(tmp_path, [tcp, unix], "web:local", "--transport", "asyncio", *workers):
            service.wait_for("listening at", 2)
            for family, address in ((socket.AF_INET, tcp.getsockname()), (socket.AF_UNIX, path)):
                with socket.socket(family) as peer:
                    peer.settimeout(30)
                    peer.connect(address)
                    peer.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
                    assert peer.recv(65536).startswith(b"HTTP/1.1 200 ")
            assert service.end() == 0
        with socket.create_connection(tcp.getsockname()) as waits:  # the next start will answer it
            waits.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            (tmp_path / "next").mkdir()
            for service in activated(tmp_path / "next", [tcp], "web", "--transport", "asyncio", *workers):
                assert waits.recv(65536).startswith(b"HTTP/1.1 200 ")
                assert service.end() == 0
    assert os.path.exists(path)


def test_a_passed_socket_is_chosen_by_its_name(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        options = ["--bind", "fd://second", "--transport", "asyncio", "--workers", "1"]
        for service in activated(tmp_path, [first, second], "first:second", *options):
            service.wait_for(rf"listening at http://127.0.0.1:{second.getsockname()[1]}")
            service.ready(1)
            assert service.log.count("listening at") == 1
        (tmp_path / "wrong").mkdir()
        for service in activated(tmp_path / "wrong", [first, second], "first:second", "--bind", "fd://third"):
            assert service.process.wait(30) == 3
            assert "systemd passed no socket called 'third' (it passed first, second)" in service.log


def test_what_was_passed_to_another_process_is_not_taken() -> None:
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b"}
    assert passed_sockets(environ) == {}
    assert environ == {}
    assert passed_sockets({}) == {}


@pytest.mark.parametrize(
    ("count", "text"), [("many", "LISTEN_FDS is a number of sockets, not 'many'"), ("900", "which is not open")]
)
def test_nonsense_is_an_error(count: str, text: str) -> None:
    with pytest.raises(BindingInvalid, match=text):
        passed_sockets({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": count})


def test_a_manager_that_is_gone_or_slow_disturbs_nobody(tmp_path: Path) -> None:
    """A message that cannot be sent is dropped; a variable that means nothing is ignored."""
    silent = Notifier({"NOTIFY_SOCKET": "vsock:2:1", "WATCHDOG_USEC": "5"})
    silent.ready("x")
    assert silent.interval == 0
    gone = Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    gone.stopping()
    gone.close()
    gone.stopping()
    others = Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"})
    assert others.interval == 0
    others.close()
