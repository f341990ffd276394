"""nginx as a reverse proxy in front, with connections to us that it keeps."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from http_command import free_port

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log info;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 64m;
    upstream highper {{
        server 127.0.0.1:{upstream};
        keepalive 8;
        keepalive_requests 100000;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://highper;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
        }}
        location /unbuffered/ {{
            proxy_pass http://highper/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_request_buffering off;
            proxy_buffering off;
        }}
        location /old/ {{
            proxy_pass http://highper/;
            proxy_http_version 1.0;
        }}
    }}
}}
"""

CONTENT = bytes(range(256)) * 8000


@pytest.fixture(scope="module")
def proxy(tool: Callable[[str], str], port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of an nginx of our own; at its end, its log tells of no answer of ours that it disliked."""
    folder = tmp_path_factory.mktemp("nginx")
    folder.chmod(0o755)
    front = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, upstream=port, port=front))
    command = [tool("nginx"), "-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        for _ in range(100):
            assert process.poll() is None, process.stderr.read() if process.stderr else b""
            try:
                socket.create_connection(("127.0.0.1", front), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield front
    finally:
        process.terminate()
        process.wait(10)
        if process.stderr:
            process.stderr.close()
    assert complaints(folder / "error.log") == []


def complaints(log: Path) -> list[str]:
    lines = log.read_text().splitlines()
    return [line for line in lines if any(f"[{level}]" in line for level in ("error", "crit", "alert", "emerg"))]


@pytest.fixture
def client(proxy: int) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{proxy}", timeout=30) as client:
        yield client


def test_answers_pass_through(client: httpx.Client) -> None:
    """Known length, chunked, none, errors."""
    for prefix in ("", "/unbuffered", "/old"):
        assert client.get(f"{prefix}/text").text == "Hello, World!"
        assert client.get(f"{prefix}/stream/500").text == "".join(f"line {number}\n" for number in range(500))
        assert client.get(f"{prefix}/bytes/2000000").content[-3:] == (bytes(range(256)) * 8000)[:2_000_000][-3:]
        assert client.head(f"{prefix}/bytes/77").headers["content-length"] == "77"
        assert client.get(f"{prefix}/cookie").status_code == 204
        assert client.get(f"{prefix}/nothing").status_code == 404
        assert client.get(f"{prefix}/broken").status_code == 500


def test_content_passes_through(client: httpx.Client) -> None:
    """Buffered by nginx, or handed on as it comes, chunked."""
    told = {"size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
    for prefix in ("", "/unbuffered", "/old"):
        assert client.post(f"{prefix}/digest", content=CONTENT).json() == told
        assert client.post(f"{prefix}/digest", content=iter([CONTENT[:5], CONTENT[5:]])).json() == told
        assert client.post(f"{prefix}/echo", content=b"x").content == b"x"
        assert client.post(f"{prefix}/refuse", content=b"x" * 1000).status_code == 403


def test_connections_are_kept(client: httpx.Client) -> None:
    """Hundreds of requests reach us over the few connections nginx keeps, also around errors and unread content."""
    peers = set()
    for number in range(100):
        told = client.get("/request", headers={"x-number": str(number)}).json()
        assert told["fields"]["x-number"] == str(number)
        assert told["fields"]["x-forwarded-for"] == "127.0.0.1"
        peers.add(tuple(told["peer"]))
        client.get("/nothing")
        client.post("/refuse", content=b"x" * 100)
        client.get("/broken")
    assert len(peers) <= 8


def test_clients_at_once_do_not_mix(proxy: int) -> None:
    """Twenty clients, each with its own answers."""

    def talk(name: int) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", proxy, timeout=30)) as connection:
            for number in range(50):
                content = f"{name}:{number};".encode() * (number + 1)
                connection.request("POST", "/echo", content)
                assert connection.getresponse().read() == content

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(talk, range(20)))


def test_load(proxy: int, tool: Callable[[str], str]) -> None:
    """h2load through nginx: every answer there and well."""
    command = [tool("h2load"), "--h1", "-t1", "-n3000", "-c20", f"http://127.0.0.1:{proxy}/text"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "3000 done, 3000 succeeded, 0 failed, 0 errored, 0 timeout" in done.stdout, done.stdout
    assert "status codes: 3000 2xx, 0 3xx, 0 4xx, 0 5xx" in done.stdout, done.stdout


def test_a_client_that_leaves(proxy: int) -> None:
    """nginx closes its connection to us when its client goes; the next is served."""
    for _ in range(5):
        with closing(http.client.HTTPConnection("127.0.0.1", proxy, timeout=30)) as connection:
            connection.request("GET", "/unbuffered/slow")
    with closing(http.client.HTTPConnection("127.0.0.1", proxy, timeout=30)) as connection:
        connection.request("GET", "/request")
        assert json.loads(connection.getresponse().read())["method"] == "GET"
