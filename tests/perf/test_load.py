"""The load generator: times count from when a request fell due, and a wrong answer is an error."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from compiled import program
from support.compiler import COMPILES

pytestmark = pytest.mark.skipif(not COMPILES, reason="no C compiler")

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@contextmanager
def serving(answer: bytes, pause: float = 0.0, close: bool = False) -> Iterator[int]:
    """Answer the one connection after another, each request after `pause` seconds."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:

        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    try:
                        while peer.recv(65536):
                            time.sleep(pause)
                            peer.sendall(answer)
                            if close:
                                break
                    except ConnectionError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def load(tmp_path: Path, port: int, *options: str) -> Any:
    request = tmp_path / "request"
    request.write_bytes(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    command = [str(program("load/load.c", tmp_path)), "-f", str(request), "-l", "2", "-c", "1", *options, str(port)]
    return json.loads(subprocess.run(command, capture_output=True, check=True, timeout=30).stdout)


def test_a_server_that_stalls_pays_for_all_who_fell_due_meanwhile(tmp_path: Path) -> None:
    """Ten answers a second where a hundred are due: half of them wait for hundreds of milliseconds, though each is sent
    in a tenth of a second.
    """
    with serving(ANSWER, pause=0.1) as port:
        seen = load(tmp_path, port, "-r", "100", "-s", "1")
    assert seen["errors"] == 0
    assert seen["requests"] + seen["unanswered"] in range(98, 103)
    assert seen["p50"] > 250_000


OTHERS = [
    b"HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nokk",
    ANSWER + b"x",
]


@pytest.mark.parametrize("answer", OTHERS)
def test_an_answer_that_is_not_the_expected_one_is_an_error(tmp_path: Path, answer: bytes) -> None:
    with serving(answer, pause=0.01) as port:
        assert load(tmp_path, port, "-s", "0.2")["errors"] > 0


def test_a_connection_for_each_request_ends_when_the_server_closes(tmp_path: Path) -> None:
    with serving(ANSWER, close=True) as port:
        seen = load(tmp_path, port, "-x", "-s", "0.3")
    assert seen["errors"] == 0
    assert seen["requests"] > 5
