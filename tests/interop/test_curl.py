"""curl as a client."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Curl = Callable[..., str]


@pytest.fixture
def curl(tool: Callable[[str], str]) -> Curl:
    """Run curl; return what it wrote, fail when it failed."""
    program = tool("curl")

    def run(*arguments: str, content: bytes = b"") -> str:
        command = [program, "-q", "-sS", "--max-time", "30", *arguments]
        done = subprocess.run(command, input=content, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    return run


def test_get_and_head(curl: Curl, url: str) -> None:
    """The same fields with and without content."""
    head, _, content = curl("-i", f"{url}/text").partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert content == "Hello, World!"
    fields = [line for line in head.split("\r\n") if not line.startswith("date:")]
    assert [line for line in curl("-I", f"{url}/text").split("\r\n") if line and line[:5] != "date:"] == fields


@pytest.mark.parametrize("size", [0, 1, 65_536, 1_000_000, 8_000_000])
def test_known_length(curl: Curl, url: str, tmp_path: Path, size: int) -> None:
    """Answers of any size arrive whole."""
    target = tmp_path / "content"
    curl("-o", str(target), f"{url}/bytes/{size}")
    assert target.read_bytes() == (bytes(range(256)) * (size // 256 + 1))[:size]


def test_chunked_answer(curl: Curl, url: str) -> None:
    """Streamed content is delimited by chunks, and by the close for HTTP/1.0."""
    expected = "".join(f"line {number}\n" for number in range(500))
    assert curl(f"{url}/stream/500") == expected
    assert curl("--http1.0", f"{url}/stream/500") == expected
    assert "transfer-encoding: chunked" in curl("-i", f"{url}/stream/1").lower()
    assert "transfer-encoding" not in curl("-i", "--http1.0", f"{url}/stream/1").lower()


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
@pytest.mark.parametrize("fields", [[], ["-H", "Expect: 100-continue"], ["-H", "Transfer-Encoding: chunked"]])
def test_uploads(curl: Curl, url: str, size: int, fields: list[str]) -> None:
    """Known length, chunked, and after 100 Continue, which curl asks for by itself above 1 MiB."""
    content = b"x" * size
    told = json.loads(curl(*fields, "--data-binary", "@-", f"{url}/digest", content=content))
    assert told == {"size": size, "sha256": hashlib.sha256(content).hexdigest()}
    assert curl(*fields, "-T", "-", f"{url}/echo", content=content[:50_000]) == "x" * min(size, 50_000)


def test_continue_is_not_awaited_in_vain(curl: Curl, url: str) -> None:
    """The interim response comes at once, not after the second curl would wait."""
    fields = ["-H", "Expect: 100-continue", "--expect100-timeout", "20", "--max-time", "5"]
    assert curl(*fields, "-d", "x", f"{url}/echo") == "x"


def test_refusal_instead_of_content(curl: Curl, url: str) -> None:
    """A final answer instead of 100 Continue; curl sends nothing more."""
    said = curl("-i", "-H", "Expect: 100-continue", "--data-binary", "@-", f"{url}/refuse", content=b"x" * 2_000_000)
    assert said.startswith("HTTP/1.1 403 Forbidden\r\n")
    assert "100 Continue" not in said


def test_one_connection_for_many_requests(curl: Curl, url: str) -> None:
    """Persistence, mixed methods and framings; HTTP/1.0 and `close` end it."""
    each = ["/text", "/stream/3", "/bytes/10000", "/redirect", "/nothing"]
    mark = "\n%{num_connects} %{http_code}\n"
    arguments = [part for path in each for part in ("-o", "/dev/null", f"{url}{path}")]
    assert curl("-w", mark, *arguments).split() == ["1", "200", "0", "200", "0", "200", "0", "302", "0", "404"]
    closing = ["-w", "%{num_connects}", "-o", "/dev/null", f"{url}/text", "-o", "/dev/null", f"{url}/text"]
    assert curl("-H", "Connection: close", *closing) == "11"
    assert curl("--http1.0", *closing) == "11"


def test_proposals_that_are_declined(curl: Curl, url: str) -> None:
    """An Upgrade to h2c is ignored and the request answered."""
    said = curl("-i", "--http2", f"{url}/text")
    assert said.startswith("HTTP/1.1 200 OK\r\n")
    assert said.endswith("Hello, World!")


def test_forms_and_cookies(curl: Curl, url: str, tmp_path: Path) -> None:
    """A multipart form with a file, an urlencoded one, and a jar of cookies."""
    file = tmp_path / "file.bin"
    file.write_bytes(bytes(range(256)) * 2000)
    told = json.loads(curl("-F", "a=1", "-F", f"f=@{file};type=image/x-test", "-F", "a=caf\u00e9", f"{url}/form"))
    assert told["fields"] == [["a", "1"], ["a", "caf\u00e9"]]
    assert told["files"] == [["file.bin", "image/x-test", hashlib.sha256(file.read_bytes()).hexdigest()]]
    assert json.loads(curl("--data-urlencode", "b=x y&z", f"{url}/form"))["fields"] == [["b", "x y&z"]]
    jar = str(tmp_path / "jar")
    curl("-c", jar, f"{url}/cookie")
    assert json.loads(curl("-b", jar, f"{url}/request"))["cookies"] == {"first": "1", "second": "2"}


def test_methods(curl: Curl, url: str) -> None:
    """OPTIONS and 405 tell what is allowed, OPTIONS * too; a failing handler is a 500 that tells nothing."""
    assert "allow: POST, PUT, PATCH, OPTIONS\r\n" in curl("-i", "-X", "OPTIONS", f"{url}/echo")
    refused = curl("-i", "-X", "DELETE", f"{url}/echo")
    assert refused.startswith("HTTP/1.1 405 ")
    assert "allow: POST, PUT, PATCH, OPTIONS\r\n" in refused
    assert curl("-i", "-X", "OPTIONS", "--request-target", "*", url).startswith("HTTP/1.1 204 ")
    broken = curl("-i", f"{url}/broken")
    assert broken.startswith("HTTP/1.1 500 ")
    assert "on purpose" not in broken


def test_as_a_proxy(curl: Curl, url: str) -> None:
    """The absolute-form of a request-target is answered."""
    assert json.loads(curl("-x", url, "http://example.test/request?q=1&q=2"))["query"] == ["1", "2"]


def test_in_parallel(curl: Curl, url: str) -> None:
    """Many transfers at once."""
    said = curl("-Z", "--parallel-max", "40", *[f"{url}/stream/5"] * 100)
    assert said.count("line ") == 500
