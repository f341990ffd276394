"""What a resting WebSocket costs: real ones held on a real server, each opened as a browser does and answered once.

Usage: python perf/resting_sockets.py [--sockets N] [--transport NAME] [--style coroutine|listener] [--deflate]

Anonymous memory of the server is read when an eighth of them rest and again when all do: the slope between the two is
what one WebSocket more costs; the whole growth since the server had one tells what the slope hides. They come evenly,
so that as many were awake at once before either reading: what those took and gave back is no cost of the others.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from record import commit, environment, write_results
from resting.memory import anonymous_bytes
from resting.processes import room_per_process

HOME = Path(__file__).parent
SETTLE = 3.0  # seconds until what was answered is at rest
PACE = 0.002  # seconds between two that come
PATIENCE = 20.0
STYLES = ("coroutine", "listener")

OPENING = b"""GET / HTTP/1.1
Host: 127.0.0.1
Connection: Upgrade
Pragma: no-cache
Cache-Control: no-cache
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36
Upgrade: websocket
Origin: http://127.0.0.1
Sec-WebSocket-Version: 13
Accept-Encoding: gzip, deflate, br, zstd
Accept-Language: en-GB,en;q=0.9
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits

""".replace(b"\n", b"\r\n")
MESSAGE = b"\x81\xa0" + bytes(4) + b"x" * 32
ECHO = b"\x81\x20" + b"x" * 32


def main() -> int:
    """Measure; return a process status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sockets", type=int, default=8000)
    parser.add_argument("--transport", default="epoll")
    parser.add_argument("--style", choices=STYLES, action="append")
    parser.add_argument("--deflate", action="store_true")
    parser.add_argument("--unsaved", action="store_true", help="write no results")
    options = parser.parse_args()
    number = min(options.sockets, room_per_process())
    results = {}
    for style in options.style or STYLES:
        results[style] = hold(number, options.transport, style, options.deflate)
        each = ", ".join(f"{name} {value:,.0f}" for name, value in results[style].items())
        print(f"{options.transport} {style}{' deflate' if options.deflate else ''}: {each}", flush=True)
    if not options.unsaved:
        name = f"resting-sockets-{options.transport}{'-deflate' if options.deflate else ''}-{number}"
        path = write_results(name, {"commit": commit(), "environment": environment(sys.executable), **results})
        print(f"written to {path}")
    return 0


def hold(number: int, transport: str, style: str, deflate: bool) -> dict[str, float]:
    """Hold `number` WebSockets; return what each costs."""
    held: list[socket.socket] = []
    read = []
    with contextlib.ExitStack() as ends, serving(transport, style, deflate) as (pid, port):
        for target in (1, number // 8, number):
            while len(held) < target:
                held.append(ends.enter_context(opened(port, deflate)))
                time.sleep(PACE)
            time.sleep(SETTLE)
            read.append((len(held), anonymous_bytes(pid)))
    one, some, every = read
    return {
        "sockets": every[0],
        "slope": (every[1] - some[1]) / (every[0] - some[0]),
        "growth": (every[1] - one[1]) / (every[0] - one[0]),
    }


def opened(port: int, deflate: bool) -> socket.socket:
    """Return a WebSocket that was answered once."""
    peer = socket.socket()
    peer.settimeout(PATIENCE)
    peer.connect(("127.0.0.1", port))
    peer.sendall(OPENING)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += peer.recv(4096)
    if not head.startswith(b"HTTP/1.1 101 ") or (b"permessage-deflate" in head) is not deflate:
        raise RuntimeError(f"the server answered {head!r}")
    peer.sendall(MESSAGE)
    if (echo := peer.recv(4096)) != ECHO:
        raise RuntimeError(f"the server echoed {echo!r}")
    return peer


@contextlib.contextmanager
def serving(transport: str, style: str, deflate: bool) -> Iterator[tuple[int, int]]:
    """Run a server; yield its process and its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    script = str(HOME / "servers" / "resting_sockets_app.py")
    command = [sys.executable, script, transport, str(port), style, *(["deflate"] if deflate else [])]
    path = os.pathsep.join([str(HOME.parent), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    server = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up and server.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield server.pid, port
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    sys.exit(main())
