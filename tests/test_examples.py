"""What `examples/` shows runs as it stands."""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def custom_server() -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "custom_server.py"), "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        found = re.search(r":(\d+)$", process.stdout.readline().strip())
        assert found is not None
        yield int(found[1])
    finally:
        process.kill()
        process.communicate()


def test_custom_server_answers_on_one_connection(custom_server: int) -> None:
    """The core alone over plain sockets keeps a connection alive and names method and target."""
    client = http.client.HTTPConnection("127.0.0.1", custom_server, timeout=10)
    for path in ("/one", "/two"):
        client.request("GET", path)
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, b"GET %s\n" % path.encode())
    client.request("POST", "/three", body=iter([b"a", b"b"]), encode_chunked=True)
    assert client.getresponse().read() == b"POST /three\n"
    client.close()


def test_custom_server_answers_a_pipeline_in_pieces(custom_server: int) -> None:
    """Requests that arrive together, or torn, are each answered in order."""
    pipeline = b"".join(b"GET /%d HTTP/1.1\r\nhost: a\r\n\r\n" % number for number in range(5))
    with socket.create_connection(("127.0.0.1", custom_server), timeout=10) as client:
        for start in range(0, len(pipeline), 7):
            client.sendall(pipeline[start : start + 7])
        client.shutdown(socket.SHUT_WR)
        seen = b"".join(iter(lambda: client.recv(65536), b""))
    assert re.findall(rb"GET /(\d)\n", seen) == [b"0", b"1", b"2", b"3", b"4"]


def test_custom_server_refuses_and_goes_on(custom_server: int) -> None:
    """A malformed request costs its own connection and no other."""
    with socket.create_connection(("127.0.0.1", custom_server), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\nhost: a\n\n")
        seen = b"".join(iter(lambda: client.recv(65536), b""))
    assert seen.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"connection: close" in seen
    test_custom_server_answers_on_one_connection(custom_server)
