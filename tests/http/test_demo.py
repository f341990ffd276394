"""The demo application that the README starts, in process and by its command."""

from __future__ import annotations

import hashlib
import http.client
import signal
import sys
from pathlib import Path

import pytest
from http_command import free_port, running

from highper_http.testing import BlockingTestClient

ROOT = Path(__file__).parents[2]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> BlockingTestClient:
    monkeypatch.syspath_prepend(str(ROOT))
    from examples.demo import app

    return BlockingTestClient(app)


def test_every_route(client: BlockingTestClient) -> None:
    """Routes, JSON, streaming both ways, a slow handler, a thread, an error."""
    with client:
        assert client.get("/").text == "Hello from Highper\n"
        assert client.get("/users/7").json() == {"id": 7, "name": "Katherine"}
        assert client.get("/users/99").json()["detail"] == "there is no user 99"
        assert client.get("/users/x").status == 404
        made = client.post("/users", json={"name": "Ada"})
        assert (made.status, made.header("location")) == (201, "/users/8")
        assert client.post("/users", json=[]).status == 422
        assert client.get("/count").text == "".join(f"{number}\n" for number in range(1, 11))
        content = bytes(200_000)
        assert client.post("/digest", content=content).json() == {
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": 200_000,
        }
        assert client.get("/slow").text == "worth the wait\n"
        assert client.get("/blocking").text == "from a thread\n"
        broken = client.get("/broken")
        assert (broken.status, "stays in the log" in broken.text) == (500, False)
        assert broken.header("server-timing")


@pytest.mark.parametrize("transport", ["asyncio", "uvloop", "auto"])
def test_by_its_command(transport: str) -> None:
    """`highper run examples.demo:app` serves it; the log has one line per request and the traceback of the 500."""
    port = free_port()
    command = [sys.executable, "-P", "-m", "highper_http", "run", "examples.demo:app", "--port", str(port)]
    command += ["--transport", transport]
    with running(command, port, cwd=ROOT) as process:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for path, status in (("/", 200), ("/users/1", 200), ("/count", 200), ("/broken", 500), ("/missing", 404)):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
        connection.close()
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=10)
        assert process.returncode == 0
    assert '"GET /users/1" 200' in log
    assert "RuntimeError: this text stays in the log" in log
    assert f"http://127.0.0.1:{port}" in log
