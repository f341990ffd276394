"""What a reload and the death of a worker cost those who are being served: nothing, and what the dead one held."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from support.hammer import Hammer
from support.services import serving, until

from highper_transports import registry

TRANSPORTS = [name for name in registry.names() if name != "memory" and registry.why_not(name) is None]
WORKERS = 2


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """Name of a provider on sockets."""
    name: str = request.param
    return name


@pytest.mark.parametrize("reuse_port", [False, True], ids=["shared", "reuse-port"])
def test_no_request_is_lost_through_ten_reloads(tmp_path: Path, transport: str, reuse_port: bool) -> None:
    """Keep-alive connections, fresh ones, and answers that were on their way: none is refused, reset or cut."""
    options = ["--workers", str(WORKERS), "--port", "0", "--transport", transport, "--no-access-log"]
    with serving(tmp_path, *options, *(["--reuse-port"] if reuse_port else [])) as service:
        service.ready(WORKERS)
        targets = ["/"] * 6 + ["/slow/0.01", "/slow/0.05", "/stream/3", "/stream/20"]
        with Hammer(service.address, targets, churning=3) as hammer:
            for number in range(1, 11):
                before = sum(hammer.answers.values())
                service.send(signal.SIGHUP)
                service.wait_for("reloaded", number)
                until(lambda before=before: sum(hammer.answers.values()) > before + 100)
        assert hammer.lost == []
        assert len({answer for answer in hammer.answers if answer.startswith(b"1 ")}) >= 10  # workers that answered
        assert service.end() == 0
        assert "Traceback" not in service.log


def test_clients_that_pause_lose_nothing_in_a_reload(tmp_path: Path, transport: str) -> None:
    """A pause shorter than `--quiet` never meets a connection that has just been closed."""
    options = ["--workers", "1", "--port", "0", "--transport", transport, "--no-access-log", "--quiet", "1"]
    with serving(tmp_path, *options) as service:
        service.ready(1)
        with Hammer(service.address, ["/"] * 20, pause=0.2) as hammer:
            until(lambda: sum(hammer.answers.values()) > 40)
            for number in range(1, 4):
                service.send(signal.SIGHUP)
                service.wait_for("reloaded", number)
                before = sum(hammer.answers.values())
                until(lambda before=before: sum(hammer.answers.values()) > before + 60)
        assert hammer.lost == []
        assert hammer.connections == 20 * 4  # each reload told each of them once


def test_a_killed_worker_takes_its_own_connections_with_it_and_no_other(tmp_path: Path, transport: str) -> None:
    """What it had accepted is lost, once each; what waits in the queue, and the others' connections, live on."""
    options = ["--workers", str(WORKERS), "--port", "0", "--transport", transport, "--no-access-log"]
    with serving(tmp_path, *options) as service:
        workers = service.ready(WORKERS)
        with Hammer(service.address, ["/"] * 12) as hammer:
            until(lambda: sum(hammer.answers.values()) > 200)
            os.kill(workers[0], signal.SIGKILL)
            service.ready(WORKERS + 1)
            before = sum(hammer.answers.values())
            until(lambda: sum(hammer.answers.values()) > before + 200)
        assert len(hammer.lost) <= 12
        assert hammer.connections == 12 + len(hammer.lost)  # every loss was a connection of the dead, once
        assert not [text for text in hammer.lost if "Refused" in text]
        assert service.end() == 0
