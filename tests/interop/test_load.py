"""wrk and h2load: many requests, and not one that fails."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

PIPELINE = """
local requests = {}
init = function(args)
    for number = 1, 16 do
        requests[number] = wrk.format("GET", number % 2 == 0 and "/text" or "/stream/3")
    end
    pipeline = table.concat(requests)
end
request = function() return pipeline end
"""


def wrk(program: str, *arguments: str) -> int:
    """Run wrk; return the number of answers, fail when one was not well."""
    done = subprocess.run([program, "-t1", "-d1s", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Socket errors" not in done.stdout, done.stdout
    assert "Non-2xx" not in done.stdout, done.stdout
    found = re.search(r"(\d+) requests in", done.stdout)
    assert found, done.stdout
    return int(found[1])


def h2load(program: str, *arguments: str, requests: int = 3000) -> None:
    """Run h2load; fail when a request was not answered, or not well."""
    command = [program, "--h1", "-t1", f"-n{requests}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert f"{requests} done, {requests} succeeded, 0 failed, 0 errored, 0 timeout" in done.stdout, done.stdout
    assert f"status codes: {requests} 2xx, 0 3xx, 0 4xx, 0 5xx" in done.stdout, done.stdout


@pytest.mark.parametrize("path", ["/text", "/bytes/100000", "/stream/20", "/request?q=1"])
def test_wrk(tool: Callable[[str], str], url: str, path: str) -> None:
    """Keep-alive connections, as many answers as they can carry."""
    assert wrk(tool("wrk"), "-c32", url + path) > 100


def test_wrk_pipelined(tool: Callable[[str], str], url: str, tmp_path: Path) -> None:
    """Sixteen requests in one write, answers of known length and chunked ones in turn."""
    script = tmp_path / "pipeline.lua"
    script.write_text(PIPELINE)
    assert wrk(tool("wrk"), "-c16", "-s", str(script), url) > 100


def test_wrk_posts(tool: Callable[[str], str], url: str, tmp_path: Path) -> None:
    """Requests with content."""
    script = tmp_path / "post.lua"
    script.write_text('wrk.method = "POST"\nwrk.body = string.rep("x", 5000)\n')
    assert wrk(tool("wrk"), "-c16", "-s", str(script), url + "/echo") > 100


def test_wrk_closing(tool: Callable[[str], str], url: str) -> None:
    """A connection for each request."""
    assert wrk(tool("wrk"), "-c16", "-H", "Connection: close", url + "/text") > 100


@pytest.mark.parametrize("inflight", [1, 8])
@pytest.mark.parametrize("path", ["/text", "/bytes/50000", "/stream/5"])
def test_h2load(tool: Callable[[str], str], url: str, path: str, inflight: int) -> None:
    """One request at a time on each connection, and eight pipelined."""
    h2load(tool("h2load"), "-c20", f"-m{inflight}", url + path)


def test_h2load_posts(tool: Callable[[str], str], url: str, tmp_path: Path) -> None:
    """Content of 100 kB with every request."""
    content = tmp_path / "content"
    content.write_bytes(b"x" * 100_000)
    h2load(tool("h2load"), "-c10", "-d", str(content), url + "/digest", requests=500)
