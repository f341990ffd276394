"""What a reload and the death of a worker cost those who are being served: nothing, and what the dead one held."""

from __future__ import annotations

import os
import signal
import ssl
from pathlib import Path

import pytest
import trustme
from support.hammer import Hammer
from support.services import Service, serving, until

from highper_transports import registry

TRANSPORTS = [name for name in registry.names() if name != "memory" and registry.why_not(name) is None]
WORKERS = 2


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """Name of a provider on sockets."""
    name: str = request.param
    return name


def test_no_handshake_is_lost_in_a_reload(tmp_path: Path, transport: str) -> None:
    """A peer in the middle of one is nobody's stream yet, and is served all the same; new ones see a renewed chain."""
    authority = trustme.CA()
    chain = tmp_path / "chain.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(chain)
    trusting = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    options = ["--workers", "1", "--port", "0", "--transport", transport, "--certfile", str(chain), "--no-access-log"]
    with serving(tmp_path, *options) as service:
        service.ready(1)
        slow = service.connect()  # accepted; says its first word when its worker has withdrawn
        until(lambda: accepted(service))
        with Hammer(service.address, [], churning=4, tls=trusting) as hammer:
            for number in range(1, 4):
                service.send(signal.SIGHUP)
                service.wait_for("reloaded", number)
                if number == 1:
                    with trusting.wrap_socket(slow, server_hostname="localhost") as peer:
                        before = peer.getpeercert(binary_form=True)
                        peer.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
                        assert b"\r\nconnection: close\r\n" in peer.recv(65536)
                    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(chain)
                asked = sum(hammer.answers.values())
                until(lambda asked=asked: sum(hammer.answers.values()) > asked + 20)
        assert hammer.lost == []
        with service.connect() as plain, trusting.wrap_socket(plain, server_hostname="localhost") as peer:
            assert peer.getpeercert(binary_form=True) != before


def accepted(service: Service) -> bool:
    """Whether nobody waits in the listener's queue: its length, as the system has it."""
    _, port = service.address
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    [row] = [fields for fields in map(str.split, rows) if fields[1].endswith(f":{port:04X}") and fields[3] == "0A"]
    return int(row[4].partition(":")[2], 16) == 0


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
        assert (
            hammer.connections >= 20 * 3
        )  # each reload told each of them, the last one perhaps after its last request


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
