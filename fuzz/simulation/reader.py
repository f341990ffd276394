"""Reading answers, by a reader of our own that shares nothing with the engines."""

from __future__ import annotations

from dataclasses import dataclass

from highper_transports.memory import Peer

__all__ = ["Answer", "Garbled", "next_answer"]


class Garbled(Exception):
    """What came is no answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A final response. `is_whole` is False where the input ended inside it."""

    status: int
    content: bytes
    closes: bool
    is_whole: bool = True


async def next_answer(peer: Peer) -> Answer | None:
    """Return the next final response, None at the end of input.

    Raises:
        StreamBroken: the stream was reset.
        Garbled: the bytes are no answer.
    """
    while True:
        head = await _until(peer, b"\r\n\r\n")
        if not head:
            return None
        if not head.endswith(b"\r\n\r\n"):
            return Answer(0, b"", True, is_whole=False)
        start, *lines = head[:-4].split(b"\r\n")
        version, _, rest = start.partition(b" ")
        if version != b"HTTP/1.1" or not rest[:3].isdigit():
            raise Garbled(start)
        status = int(rest[:3])
        if status < 200:
            continue
        fields = {}
        for line in lines:
            name, colon, value = line.partition(b": ")
            if not colon:
                raise Garbled(line)
            fields[name.lower()] = value
        closes = fields.get(b"connection") == b"close"
        if b"content-length" in fields:
            length = int(fields[b"content-length"])
            content = await _exactly(peer, length)
            return Answer(status, content, closes, is_whole=len(content) == length)
        if fields.get(b"transfer-encoding") != b"chunked":
            raise Garbled(f"no framing: {start!r}")
        content, is_whole = await _chunked(peer)
        return Answer(status, content, closes, is_whole)


async def _chunked(peer: Peer) -> tuple[bytes, bool]:
    content = bytearray()
    while True:
        line = await _until(peer, b"\r\n")
        if not line.endswith(b"\r\n"):
            return bytes(content), False
        try:
            size = int(line, 16)
        except ValueError:
            raise Garbled(line) from None
        piece = await _exactly(peer, size + 2)
        if len(piece) < size + 2:
            return bytes(content), False
        if piece[size:] != b"\r\n":
            raise Garbled(piece[-20:])
        if not size:
            return bytes(content), True
        content += piece[:size]


async def _until(peer: Peer, mark: bytes) -> bytes:
    """Return bytes to the end of `mark`, or what there is where the input ends."""
    data = bytearray()
    while (at := data.find(mark)) < 0:
        more = await peer.receive()
        if not more:
            return bytes(data)
        data += more
    at += len(mark)
    peer.put_back(bytes(data[at:]))
    return bytes(data[:at])


async def _exactly(peer: Peer, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        more = await peer.receive()
        if not more:
            return bytes(data)
        data += more
    peer.put_back(bytes(data[length:]))
    return bytes(data[:length])
