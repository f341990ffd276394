"""How long others wait while slow clients are attached, and how long the slow ones are borne.

Usage: python perf/slow_clients.py [--transport NAME] [--python PATH] [--slow N] [--rounds N] [--seconds S] [--bear]

Rounds alternate: the median answer time at 30 % load alone, then with N slow clients of all six kinds attached
(no first byte, head drip, body drip, body stall, never reading, idle). With --bear it waits, for default limits, until
the server has ended every slow client and prints when it did; that takes two minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import selectors
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from compare import CACHE
from contestants import Contestant
from cpu_time import cores, tree_cpu_seconds
from generators import generate, saturate
from record import commit, environment, write_results
from running import Running, Unfit, running
from workloads import WORKLOADS

__all__ = ["SlowClients", "slow_app", "slowdowns"]

HOME = Path(__file__).parent
SHARE = 0.3  # of the load the server's core can bear
SETTLE = 6.0  # seconds; the first slow clients are ended after ten
BUSY = 0.1  # of its core: what dripping clients cost, and some
REQUEST = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
UPLOAD = b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n"
LARGE = b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n"
DRIP = 0.25  # seconds between two bytes

# kind: what it sends at once, and what it then sends a byte at a time
KINDS: dict[str, tuple[bytes, bytes]] = {
    "no first byte": (b"", b""),
    "head drip": (b"G", b"ET / HTTP/1.1\r\nx: " + b"y" * 10_000),
    "body drip": (UPLOAD, b"z" * 100_000),
    "body stall": (UPLOAD + b"z" * 100, b""),
    "never reading": (LARGE, b""),
    "idle": (REQUEST, b""),
}


class SlowClients:
    """A crowd of slow clients, stepped by a thread of its own, away from the server's core."""

    def __init__(self, port: int, count: int) -> None:
        self.ended: dict[str, list[float]] = {kind: [] for kind in KINDS}
        self._stop = threading.Event()
        self._started = time.monotonic()
        self._clients: dict[socket.socket, tuple[str, Iterator[int]]] = {}
        for index in range(count):
            kind = list(KINDS)[index % len(KINDS)]
            at_once, drip = KINDS[kind]
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.sendall(at_once)
            client.setblocking(False)
            self._clients[client] = (kind, iter(drip))
        self._thread = threading.Thread(target=self._step)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._clients)

    def close(self) -> None:
        """Let them all go."""
        self._stop.set()
        self._thread.join()
        for client in self._clients:
            client.close()

    def _step(self) -> None:
        os.sched_setaffinity(0, {cores()[1]})
        with selectors.DefaultSelector() as selector:
            for client, (kind, _) in self._clients.items():
                if kind != "never reading":
                    selector.register(client, selectors.EVENT_READ)
            while not self._stop.is_set() and self._clients:
                due = time.monotonic() + DRIP
                for client, (_, drip) in list(self._clients.items()):
                    byte = next(drip, None)
                    try:
                        if byte is not None:
                            client.send(bytes([byte]))
                        elif client not in selector.get_map() and _is_reset(client):
                            self._end(client)
                    except BlockingIOError:
                        pass
                    except OSError:
                        self._end(client, selector)
                while (wait := due - time.monotonic()) > 0 and not self._stop.is_set():
                    for key, _ in selector.select(wait):
                        assert isinstance(key.fileobj, socket.socket)
                        with contextlib.suppress(BlockingIOError):
                            try:
                                if key.fileobj.recv(65536):
                                    continue
                            except ConnectionError:
                                pass
                            self._end(key.fileobj, selector)

    def _end(self, client: socket.socket, selector: selectors.BaseSelector | None = None) -> None:
        if client not in self._clients:
            return
        kind, _ = self._clients.pop(client)
        self.ended[kind].append(time.monotonic() - self._started)
        if selector is not None and client in selector.get_map():
            selector.unregister(client)
        client.close()


def _is_reset(client: socket.socket) -> bool:
    """Whether the kernel knows that the peer aborted, without reading what it sent."""
    return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def slow_app(python: str, transport: str) -> Contestant:
    """Return the application that slow clients talk to, on `transport`."""
    script = str(HOME / "servers" / "slow_app.py")
    return Contestant(
        "slow", "", "highper", lambda ground: [python, script, transport], frozenset(), path=(HOME.parent,)
    )


def slowdowns(server: Running, cache: Path, slow: int, rounds: int, seconds: float) -> Iterator[tuple[float, float]]:
    """Yield, for each round, the median microseconds an answer takes: alone, and with `slow` slow clients attached.

    The rate is `SHARE` of what the server's core can bear.
    """
    before = tree_cpu_seconds(server.pid)
    at_most = saturate(server.workload, server.port, 1)
    rate = SHARE * at_most.requests / (tree_cpu_seconds(server.pid) - before)
    for _ in range(rounds):
        alone = generate(server.workload, server.port, cache, seconds, rate).p50
        crowd = SlowClients(server.port, slow)
        try:
            _settle(server)
            beside = generate(server.workload, server.port, cache, seconds, rate).p50
            if len(crowd) < slow * 0.9:
                raise Unfit(f"only {len(crowd)} of {slow} slow clients were still attached")
        finally:
            crowd.close()
        if alone is not None and beside is not None:
            yield alone, beside


def _settle(server: Running) -> None:
    """Wait until the server has sent the never reading as much as the kernel takes for them, many megabytes."""
    give_up = time.monotonic() + SETTLE
    used = tree_cpu_seconds(server.pid)
    while time.monotonic() < give_up:
        time.sleep(0.25)
        before, used = used, tree_cpu_seconds(server.pid)
        if used - before < 0.25 * BUSY:
            return


def bear(port: int, count: int, report: Callable[[str], None]) -> dict[str, float]:
    """Attach slow clients and wait until the server has ended them; return the latest end of each kind."""
    crowd = SlowClients(port, count)
    try:
        started = time.monotonic()
        while len(crowd) and time.monotonic() - started < 150:
            time.sleep(0.5)
        report(f"{len(crowd)} of {count} were not ended")
    finally:
        crowd.close()
    return {kind: round(max(ends), 2) for kind, ends in crowd.ended.items() if ends}


def main() -> int:
    """Run the comparison; return a process status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--transport", default="auto")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--slow", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--bear", action="store_true")
    options = parser.parse_args()
    ratios: list[float] = []
    ends: dict[str, float] = {}
    with running(slow_app(options.python, options.transport), WORKLOADS["plaintext"], options.cache) as server:
        for alone, beside in slowdowns(server, options.cache, options.slow, options.rounds, options.seconds):
            ratios.append(beside / alone)
            print(f"{alone:6.0f} us alone, {beside:6.0f} us beside, {ratios[-1]:.3f}", flush=True)
        if options.bear:
            ends = bear(server.port, options.slow, print)
            for kind, seconds in ends.items():
                print(f"{kind:<16}{seconds:7.2f} s")
    print(f"median ratio {statistics.median(ratios):.3f}")
    results = {"environment": environment(options.python), "commit": commit(), "ratios": ratios, "ended_after": ends}
    print(f"written to {write_results(f'slow_clients-{options.transport}', results)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
