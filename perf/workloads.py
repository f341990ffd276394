"""What is asked of every server, and what it must answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["WORKLOADS", "Answer", "Workload"]

TEXT = "text/plain; charset=utf-8"
UPLOAD = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """A status of 200 and these, byte by byte; `fields` among others."""

    content_type: str
    body: bytes
    fields: dict[str, str] = field(default_factory=dict)

    def head(self) -> bytes:
        """Return a response head, for the floor that parses and builds nothing."""
        fields = {"content-length": str(len(self.body)), "content-type": self.content_type} | self.fields
        lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        return "\r\n".join(lines).encode()


HELLO = Answer(TEXT, b"Hello, World!")


@dataclass(frozen=True, slots=True)
class Workload:
    """A request, its answer, and what is measured.

    `kind` is saturation (as many as it takes, CPU time counts), churn (the same, a connection for each), latency (a
    fixed rate, waiting times count) or idle (memory of resting connections counts).
    """

    name: str
    title: str
    kind: Literal["saturation", "churn", "latency", "idle"] = "saturation"
    target: str = "/"
    content: int = 0
    answer: Answer = HELLO
    pipeline: int = 1
    tls: bool = False

    @property
    def method(self) -> str:
        return "POST" if self.content else "GET"

    def request(self) -> bytes:
        """Return the bytes of one request."""
        fields = "host: 127.0.0.1\r\n"
        if self.content:
            fields += f"content-length: {self.content}\r\n"
        if self.kind == "churn":
            fields += "connection: close\r\n"
        return f"{self.method} {self.target} HTTP/1.1\r\n{fields}\r\n".encode() + b"u" * self.content

    def file(self, cache: Path, name: str, content: bytes) -> Path:
        """Return a file with `content` for a program that is not written in Python."""
        path = cache / "files" / f"{self.name}-{name}"
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return path


_ALL = [
    Workload("plaintext", "plaintext, keep-alive"),
    Workload("pipelined", "plaintext, 16 requests pipelined", pipeline=16),
    Workload(
        "json",
        "JSON, parameter route, three middlewares",
        target="/users/42",
        answer=Answer("application/json", b'{"user_id":"42"}', {"x-first": "1", "x-second": "2", "x-third": "3"}),
    ),
    Workload(
        "download",
        "download of 64 KiB",
        target="/download",
        answer=Answer("application/octet-stream", bytes(range(256)) * 256),
    ),
    Workload(
        "upload",
        "upload of 1 MiB, read whole",
        target="/upload",
        content=UPLOAD,
        answer=Answer(TEXT, str(UPLOAD).encode()),
    ),
    Workload("churn", "a connection for each request", kind="churn"),
    Workload("tls", "plaintext over TLS 1.3, keep-alive", tls=True),
    Workload("latency", "plaintext at 70 % of the best peer's saturation", kind="latency"),
    Workload("idle", "connections at rest", kind="idle"),
    Workload("idle-tls", "connections at rest, TLS 1.3", kind="idle", tls=True),
]
WORKLOADS = {workload.name: workload for workload in _ALL}
