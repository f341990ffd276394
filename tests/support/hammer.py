"""Clients that ask without a pause, and account for every request.

A request is lost when its connection cannot be opened, is reset, or ends before the answer is complete, unless the
server had said `connection: close` before. There is no second try.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections import Counter
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class Lost(Exception):
    """A request had no whole answer."""


class Client:
    """One keep-alive connection at a time."""

    def __init__(self, address: Any, target: str, *, churn: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self._address = address
        self._tls = tls
        self._request = f"GET {target} HTTP/1.1\r\nhost: a\r\n\r\n".encode()
        self._churn = churn
        self._peer: socket.socket | None = None
        self._data = b""
        self.connections = 0

    def ask(self) -> bytes:
        """Return the content of one answer."""
        try:
            if self._peer is None:
                family = socket.AF_UNIX if isinstance(self._address, str) else socket.AF_INET
                self._peer = socket.socket(family)
                self._peer.settimeout(20)
                self._peer.connect(self._address)
                self.connections += 1
                if self._tls is not None:
                    self._peer = self._tls.wrap_socket(self._peer, server_hostname="localhost")
            self._peer.sendall(self._request)
            head = self._until(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise Lost(head)
            length = _LENGTH.search(head)
            content = self._exactly(int(length[1])) if length is not None else self._until(b"0\r\n\r\n")
        except OSError as error:
            self.close()
            raise Lost(repr(error)) from error
        if self._churn or b"\r\nconnection: close\r\n" in head.lower():
            self.close()
        return content

    def _until(self, end: bytes) -> bytes:
        while end not in self._data:
            self._receive()
        found, _, self._data = self._data.partition(end)
        return found + end

    def _exactly(self, length: int) -> bytes:
        while len(self._data) < length:
            self._receive()
        found, self._data = self._data[:length], self._data[length:]
        return found

    def _receive(self) -> None:
        assert self._peer is not None
        data = self._peer.recv(65536)
        if not data:
            raise ConnectionResetError("the connection ended before the answer was complete")
        self._data += data

    def close(self) -> None:
        if self._peer is not None:
            self._peer.close()
            self._peer = None
            self._data = b""


class Hammer:
    """Clients in threads, from `with` to its end.

    Attributes:
        answers: contents, counted.
        lost: what went wrong, in words.
        slowest: seconds of the answer that took longest.
        connections: opened in all.
    """

    def __init__(
        self,
        address: Any,
        targets: list[str],
        *,
        churning: int = 0,
        pause: float = 0.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._clients = [Client(address, target, tls=tls) for target in targets]
        self._clients += [Client(address, "/", churn=True, tls=tls) for _ in range(churning)]
        self._pause = pause
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._strike, args=(client,)) for client in self._clients]
        self.answers: Counter[bytes] = Counter()
        self.lost: list[str] = []
        self.slowest = 0.0

    @property
    def connections(self) -> int:
        return sum(client.connections for client in self._clients)

    def _strike(self, client: Client) -> None:
        while not self._over.is_set():
            before = time.monotonic()
            try:
                self.answers[client.ask()] += 1
                self.slowest = max(self.slowest, time.monotonic() - before)
            except Lost as error:
                self.lost.append(str(error))
            if self._pause:
                self._over.wait(self._pause)
        client.close()

    def __enter__(self) -> Hammer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
