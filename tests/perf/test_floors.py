"""The floors answer every request once, however its bytes arrive; a floor that lost or doubled some would lie."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from compiled import program
from support.compiler import COMPILES

pytestmark = pytest.mark.skipif(not COMPILES, reason="no C compiler")

GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
BODY = b"Hello, World!"

Start = Callable[..., int]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    processes: list[subprocess.Popen[bytes]] = []

    def begin(name: str, *options: str) -> int:
        try:
            built = program(f"floors/{name}.c", tmp_path, sys.executable if name == "l2" else None)
        except subprocess.CalledProcessError:
            pytest.skip("this interpreter cannot be embedded")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        processes.append(subprocess.Popen([str(built), *options, str(port)]))
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return port
            except ConnectionRefusedError:
                time.sleep(0.01)
        raise AssertionError("the floor does not start")

    yield begin
    for process in processes:
        process.kill()
        process.wait()


def answers(port: int, pieces: list[bytes], expected: int) -> bytes:
    """Send `pieces`, each as its own segment, and return all that comes until there are `expected` bodies or an end."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            client.sendall(piece)
            time.sleep(0.001)
        while received.count(BODY) < expected:
            piece = client.recv(65536)
            if not piece:
                break
            received += piece
        client.settimeout(0.05)
        with contextlib.suppress(TimeoutError):
            received += client.recv(65536)
    return received


@pytest.mark.parametrize("floor", ["l0 -p", "l1", "l2"])
def test_a_pipeline_is_answered_request_by_request_wherever_it_is_cut(start: Start, floor: str) -> None:
    name, *options = floor.split()
    port = start(name, *options)
    stream = GET * 16
    for cut in range(1, len(GET) + 1, 3):
        pieces = [stream[:cut], *(stream[at : at + 37] for at in range(cut, len(stream), 37))]
        assert answers(port, pieces, 16).count(BODY) == 16
    assert answers(port, [stream], 16).count(b"HTTP/1.1 200 OK\r\n") == 16


def test_content_is_counted_before_the_answer(start: Start) -> None:
    port = start("l0", "-b", "100000")
    request = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n" + b"\r\n\r\n" * 25_000
    assert answers(port, [request[:70000], request[70000:] + request], 2).count(BODY) == 2


def test_an_answer_that_does_not_fit_the_socket_arrives_whole(start: Start, tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    content = bytes(range(256)) * 16384
    answer.write_bytes(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(content) + content)
    port = start("l0", "-a", str(answer))
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        for _ in range(2):
            client.sendall(GET)
            received = bytearray()
            while len(received) < answer.stat().st_size:
                received += client.recv(1 << 20)
            assert received.endswith(content)


def test_a_connection_is_closed_after_its_answer_where_that_is_asked(start: Start) -> None:
    close = GET[:-2] + b"connection: close\r\n\r\n"
    for port, request in ((start("l0", "-c"), GET), (start("l1"), close)):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(request)
            received = b""
            while piece := client.recv(65536):
                received += piece
        assert received.endswith(BODY)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost : a\r\n\r\n",
        b"GET / HTTP/1.1\nhost: a\n\n",
        b"GET  HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\x01\r\n\r\n",
    ],
)
def test_a_floor_that_reads_heads_refuses_what_is_none(start: Start, request_: bytes) -> None:
    assert answers(start("l1"), [request_], 1) == b""
