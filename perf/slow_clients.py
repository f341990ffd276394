"""How long others wait while slow clients are attached, and how long the slow ones are borne.

Usage: python perf/slow_clients.py [--transport NAME] [--slow N] [--rounds N] [--seconds S] [--bear]

Rounds alternate: the median answer time of a light load alone, then with N slow clients of all six kinds attached
(no first byte, head drip, body drip, body stall, never reading, idle). With --bear it waits, for default limits, until
the server has ended every slow client and prints when it did; that takes two minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import selectors
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cpu_time import cores
from record import environment, write_results

HOME = Path(__file__).parent
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
    """A crowd of slow clients, stepped by a thread of its own."""

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


def answer_times(port: int, seconds: float) -> float:
    """Return the median seconds that an answer takes, four keep-alive connections in turn, 500 requests a second."""
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
    times: list[float] = []
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            client = clients[len(times) % len(clients)]
            started = time.perf_counter()
            client.sendall(REQUEST)
            client.recv(65536)
            times.append(time.perf_counter() - started)
            time.sleep(0.002)
    finally:
        for client in clients:
            client.close()
    return statistics.median(times)


@contextlib.contextmanager
def server(transport: str) -> Iterator[int]:
    """Run the application in a process of its own core; yield its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    script = str(HOME / "servers" / "slow_app.py")
    process = subprocess.Popen(["taskset", "-c", str(cores()[0]), sys.executable, script, transport, str(port)])
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


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
    parser.add_argument("--transport", default="uvloop")
    parser.add_argument("--slow", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--bear", action="store_true")
    options = parser.parse_args()
    ratios: list[float] = []
    ends: dict[str, float] = {}
    with server(options.transport) as port:
        answer_times(port, 0.5)
        for number in range(1, options.rounds + 1):
            alone = answer_times(port, options.seconds)
            crowd = SlowClients(port, options.slow)
            beside = answer_times(port, options.seconds)
            crowd.close()
            ratios.append(beside / alone)
            print(f"round {number}: {alone * 1e6:6.0f} us alone, {beside * 1e6:6.0f} us beside, {ratios[-1]:.3f}")
        if options.bear:
            ends = bear(port, options.slow, print)
            for kind, seconds in ends.items():
                print(f"{kind:<16}{seconds:7.2f} s")
    print(f"median ratio {statistics.median(ratios):.3f}")
    results = {"environment": environment(sys.executable), "ratios": ratios, "ended_after": ends}
    print(f"written to {write_results(f'slow_clients-{options.transport}', results)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
