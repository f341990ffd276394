"""Serve requests, resets and aborts; say what the process holds at an early and at a late count.

    python tests/leaks/soak.py --transport asyncio --early 200000 --late 1000000

The client is a process of its own: every burst is a fresh connection with pipelined requests that ends in one of five
ways. Prints one line of JSON: RSS in bytes and the number of collectable objects at both counts.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import socket
import struct
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from typing import Any

PIPELINED = 50
ENDINGS = ("close", "reset", "half-head", "half-content", "unread")


def client(port: int) -> None:
    """Send bursts until the server is gone."""
    plain = b"GET /plain HTTP/1.1\r\nhost: a\r\n\r\n"
    upload = b"POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n0123456789"
    failing = b"GET /failing HTTP/1.1\r\nhost: a\r\n\r\n"
    slow = b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n"
    turn = 0
    with suppress(ConnectionRefusedError):
        while True:
            turn += 1
            ending = ENDINGS[turn % len(ENDINGS)]
            with socket.create_connection(("127.0.0.1", port)) as sock, suppress(ConnectionError):
                sock.sendall((plain * 8 + upload + failing) * (PIPELINED // 10))
                answers = 0
                while answers < PIPELINED and (data := sock.recv(65536)):
                    answers += data.count(b"HTTP/1.1 ")
                if ending == "half-head":
                    sock.sendall(plain[:20])
                elif ending == "half-content":
                    sock.sendall(upload[:-5])
                elif ending == "unread":
                    sock.sendall(slow * 3)
                if ending != "close":
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def resident() -> int:
    """Return the bytes of memory this process has resident."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def snapshot() -> dict[str, int]:
    """Return what the process holds after a collection."""
    gc.collect()
    return {"rss": resident(), "objects": len(gc.get_objects()), "descriptors": len(os.listdir("/proc/self/fd"))}


async def serve(transport: Any, provider: str, early: int, late: int) -> dict[str, Any]:
    """Serve until `late` requests were seen; return both snapshots."""
    from highper_http import App, HTTPError, Server

    app = App()
    seen = 0
    at: dict[str, Any] = {}
    done = asyncio.Event()

    async def count() -> None:
        nonlocal seen
        seen += 1
        if seen == early:
            at["early"] = snapshot()
        elif seen == late:
            at["late"] = snapshot()
            at["growth"] = dict(Counter(at["late"]) - Counter(at["early"]))
            done.set()

    @app.get("/plain")
    async def plain(req: Any) -> str:
        await count()
        return "plain"

    @app.post("/length")
    async def length(req: Any) -> str:
        content = await req.body()
        await count()
        return str(len(content))

    @app.get("/failing")
    async def failing(req: Any) -> None:
        await count()
        raise HTTPError(418, "on purpose")

    @app.get("/slow")
    async def slow(req: Any, res: Any) -> None:
        async with res.stream() as send:
            for _ in range(10):
                await send(b"x" * 1000)
                await asyncio.sleep(0.001)

    async with Server(app, port=0, transport=provider, access_log=False, drain=1.0) as server:
        bursts = subprocess.Popen([sys.executable, __file__, "--client", str(server.port)])
        try:
            await done.wait()
        finally:
            bursts.kill()
            bursts.wait()
    return at


def main() -> None:
    """Run as a script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--client", type=int, metavar="PORT")
    parser.add_argument("--transport", default="asyncio")
    parser.add_argument("--early", type=int, default=200_000)
    parser.add_argument("--late", type=int, default=1_000_000)
    options = parser.parse_args()
    if options.client:
        client(options.client)
        return
    from highper_transports.registry import transport as find_transport

    provider = find_transport(options.transport)
    print(json.dumps(provider.run(lambda transport: serve(transport, options.transport, options.early, options.late))))


if __name__ == "__main__":
    main()
