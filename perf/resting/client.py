"""Holds connections and asks on them. Usage: client.py PORT SOURCE... [--tls]; orders come on standard input.

An order is a line of JSON, its result another: {"open": N} connects so many, each answered once; {"ask": N} asks on N
of all, evenly chosen, with `pause` seconds between two. Connections are spread over the source addresses, because a
pair of addresses has only so many ports.
"""

from __future__ import annotations

import argparse
import json
import socket
import ssl
import sys
import time
from itertools import cycle

REQUEST = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\n"
NO_PORT = 24  # IP_BIND_ADDRESS_NO_PORT: the port is chosen when the peer is known
PATIENCE = 60.0


class Holder:
    """Connections to one port."""

    def __init__(self, port: int, sources: list[str], tls: bool) -> None:
        self._port = port
        self._sources = cycle(sources)
        self._held: list[socket.socket] = []
        self._context: ssl.SSLContext | None = None
        if tls:
            self._context = ssl.create_default_context()
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE

    def open(self, number: int) -> dict[str, object]:
        """Connect, and be answered once on each."""
        started = time.perf_counter()
        for _ in range(number):
            self._held.append(self._connect())
            self._ask(self._held[-1])
        return {"held": len(self._held), "seconds": time.perf_counter() - started}

    def ask(self, number: int, pause: float) -> dict[str, object]:
        """Ask on `number` of all connections; return how long each answer took."""
        times = []
        step = max(1, len(self._held) // number)
        for connection in self._held[::step][:number]:
            started = time.perf_counter()
            self._ask(connection)
            times.append(time.perf_counter() - started)
            if pause:
                time.sleep(pause)
        return {"times": times}

    def _connect(self) -> socket.socket:
        connection = socket.socket()
        connection.settimeout(PATIENCE)
        connection.setsockopt(socket.IPPROTO_IP, NO_PORT, 1)
        connection.bind((next(self._sources), 0))
        connection.connect(("127.0.0.1", self._port))
        if self._context is not None:
            return self._context.wrap_socket(connection)
        return connection

    def _ask(self, connection: socket.socket) -> None:
        connection.sendall(REQUEST)
        answer = connection.recv(4096)
        while answer and not answer.endswith(b"World!"):
            piece = connection.recv(4096)
            if not piece:
                break
            answer += piece
        if not (answer.startswith(ANSWER) and answer.endswith(b"World!")):
            raise RuntimeError(f"the server answered {answer!r}")


def main() -> None:
    """Do what is ordered until there are no more orders."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--tls", action="store_true")
    options = parser.parse_args()
    holder = Holder(options.port, options.sources, options.tls)
    for line in sys.stdin:
        order = json.loads(line)
        result = holder.open(order["open"]) if "open" in order else holder.ask(order["ask"], order["pause"])
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
