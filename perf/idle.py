"""Memory of a server that holds connections at rest, each of which was answered once."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Sequence
from pathlib import Path

from cpu_time import tree

__all__ = ["private_bytes", "private_growth"]

SETTLE = 0.5
PATIENCE = 120.0  # seconds for all connections


def private_growth(pid: int, port: int, request: bytes, steps: Sequence[int], tls: bool) -> list[int]:
    """Return by how many bytes private memory of `pid` and its descendants has grown at each of `steps` connections.

    Kernel memory is not in it.

    Raises:
        OSError: a connection is refused or ends.
    """
    context = ssl._create_unverified_context() if tls else None
    grown: list[int] = []
    with contextlib.ExitStack() as held:
        for _ in range(64):  # what is made once, at the first requests, is no connection's
            with _answered(port, request, context):
                pass
        time.sleep(SETTLE)
        before, give_up = private_bytes(pid), time.monotonic() + PATIENCE
        for step in steps:
            for _ in range(step - (len(grown) and steps[len(grown) - 1])):
                held.enter_context(_answered(port, request, context))
                if time.monotonic() > give_up:
                    raise TimeoutError(f"{steps[-1]} connections took more than {PATIENCE:.0f} seconds")
            time.sleep(SETTLE)
            grown.append(private_bytes(pid) - before)
    return grown


def private_bytes(pid: int) -> int:
    """Return the bytes that `pid` and its living descendants share with nobody else.

    Source: proc(5), smaps_rollup.
    """
    total = 0
    for process in tree(pid):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in ("Private_Clean", "Private_Dirty", "Swap"):
                total += int(value.split()[0]) * 1024
    return total


def _answered(port: int, request: bytes, context: ssl.SSLContext | None) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=10)
    if context is not None:
        client = context.wrap_socket(client)
    client.sendall(request)
    answer = b""
    while not answer.endswith(b"Hello, World!"):
        piece = client.recv(4096)
        if not piece:
            raise ConnectionError(f"ended after {answer!r}")
        answer += piece
    return client
