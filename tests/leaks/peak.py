"""Serve a crowd that comes and goes, twice; say what the process holds before, at the peaks and after them.

    python tests/leaks/peak.py --transport epoll --connections 10000

The crowd is a process of its own, which opens so many keep-alive connections, asks once on each, and ends when it is
told. Prints one line of JSON: private bytes before, at both peaks and after each, the server's own statistics in the
end, and the bytes of the transport's slab where it has one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import socket
import sys
from pathlib import Path
from typing import Any

SPARE = 200  # descriptors for anything else
SETTLE = 2.0  # seconds until who was answered is at rest, and who ended is gone


def room() -> int:
    """Return how many connections this process may hold, its limit raised as far as it goes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard - SPARE


def crowd(port: int, connections: int) -> None:
    """Hold connections, each answered once, until standard input ends."""
    room()
    held = []
    for _ in range(connections):
        held.append(socket.create_connection(("127.0.0.1", port), timeout=30))
        held[-1].sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        assert held[-1].recv(4096).startswith(b"HTTP/1.1 200 ")
    print("held", flush=True)
    sys.stdin.read()


def private() -> int:
    """Return the bytes that only this process has."""
    rollup = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in rollup if line.startswith("Private_"))


async def visit(port: int, connections: int) -> tuple[int, int]:
    """Let a crowd come and go; return what this process held at the peak and holds after it."""
    command = [sys.executable, __file__, "--client", str(port), "--connections", str(connections)]
    visitors = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert visitors.stdin is not None
    assert visitors.stdout is not None
    assert await visitors.stdout.readline() == b"held\n"
    await asyncio.sleep(SETTLE)
    peak = private()
    visitors.stdin.close()
    await visitors.wait()
    await asyncio.sleep(SETTLE)
    return peak, private()


async def serve(transport: Any, connections: int) -> dict[str, Any]:
    """Serve a few, then the crowd; return what was held."""
    from highper_http import App, Server

    app = App()

    @app.get("/")
    async def plain(req: Any) -> str:
        return "plain"

    server = Server(app, port=0, access_log=False, drain=1.0)
    await server.start(transport)
    try:
        _, before = await visit(server.port, 300)
        peaks, after = zip(*[await visit(server.port, connections) for _ in range(2)], strict=True)
        slab = transport.poller.statistics()["slab"] if hasattr(transport, "poller") else 0
        return {"before": before, "peaks": peaks, "after": after, "slab": slab, **server.statistics()}
    finally:
        await server.finish()


def main() -> None:
    """Run as a script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--client", type=int, metavar="PORT")
    parser.add_argument("--transport", default="epoll")
    parser.add_argument("--connections", type=int, default=10_000)
    options = parser.parse_args()
    if options.client:
        crowd(options.client, options.connections)
        return
    connections = min(options.connections, room())
    from highper_transports.registry import transport as find_transport

    result = find_transport(options.transport).run(lambda transport: serve(transport, connections))
    print(json.dumps({"visitors": connections, **result}))


if __name__ == "__main__":
    main()
