"""A crowd of WebSockets: one says something, all hear it, and only then is the next said. Every byte is compared.

Usage: python crowd.py PORT SOCKETS BYTES SECONDS WARM_UP

Says "begun" when the warm-up is over, and at the end how many messages were heard, in how many seconds, by how many.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time

__all__ = ["Crowd"]

OPENING = (
    b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PROOF = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
PATIENCE = 10.0
MASK = b"\1\2\3\4"


class Crowd:
    """Sockets that are all in one room.

    Args:
        port: where the server is.
        number: of sockets.
        patience: seconds after which something is taken not to come.

    Raises:
        ConnectionError: one of them could not be opened.
    """

    def __init__(self, port: int, number: int, patience: float = PATIENCE) -> None:
        self._patience = patience
        self.sockets: list[socket.socket] = []
        try:
            while len(self.sockets) < number:
                self.sockets.append(self._open(port))
        except BaseException:
            self._hang_up()
            raise
        self._ready = select.epoll()
        self._by_descriptor = {one.fileno(): one for one in self.sockets}
        for descriptor in self._by_descriptor:
            self._ready.register(descriptor, select.EPOLLIN)

    def _open(self, port: int) -> socket.socket:
        one = socket.create_connection(("127.0.0.1", port), timeout=self._patience)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.sendall(OPENING)
        answer = piece = b""
        while not answer.endswith(b"\r\n\r\n") and (piece := one.recv(4096)):
            answer += piece
        if PROOF not in answer:
            one.close()
            raise ConnectionError(f"no WebSocket: {answer[:80]!r}")
        return one

    def _hang_up(self) -> None:
        for one in self.sockets:
            one.close()

    def close(self) -> None:
        """Hang up."""
        self._ready.close()
        self._hang_up()

    def say(self, message: bytes) -> None:
        """Have the first socket say a message of 126 to 4,096 bytes, and wait until everybody has heard it.

        Raises:
            ConnectionError: somebody heard something else, or nothing.
        """
        masked = bytes(byte ^ MASK[index & 3] for index, byte in enumerate(message))
        self.sockets[0].sendall(struct.pack(">BBH", 0x81, 0xFE, len(message)) + MASK + masked)
        frame = struct.pack(">BBH", 0x81, 0x7E, len(message)) + message
        left = len(self.sockets)
        while left:
            events = self._ready.poll(self._patience, 1024)
            if not events:
                raise ConnectionError(f"{left} did not hear it")
            for descriptor, _ in events:
                heard = self._by_descriptor[descriptor].recv(len(frame) + 1)
                if heard != frame:
                    raise ConnectionError(f"heard {heard[:40]!r}, {len(heard)} bytes of {len(frame)}")
            left -= len(events)


def main(port: int, number: int, length: int, seconds: float, warm_up: float) -> None:
    """Let a crowd talk for a while."""
    crowd = Crowd(port, number)
    message = bytes(97 + index % 26 for index in range(length))
    _talk(crowd, message, warm_up)
    print("begun", flush=True)
    said, took = _talk(crowd, message, seconds)
    print(json.dumps({"messages": said, "seconds": took, "deliveries": said * number}), flush=True)


def _talk(crowd: Crowd, message: bytes, seconds: float) -> tuple[int, float]:
    began, said = time.monotonic(), 0
    while said == 0 or time.monotonic() - began < seconds:
        crowd.say(message)
        said += 1
    return said, time.monotonic() - began


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]), *map(float, sys.argv[4:6]))  # type: ignore[arg-type]
