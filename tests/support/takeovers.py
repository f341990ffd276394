"""Receivers that take a stream over: a toy protocol, a tunnel, a prefix before HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from highper_core import InformationalResponse, Response
from highper_transports.exchange import Exchange
from highper_transports.stream import Receiver, Stream

__all__ = ["Prefix", "Shout", "connect", "upgrade"]


class Shout(Receiver):
    """The toy protocol: every line comes back in capitals; the end of input ends it."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.line = b""

    def received(self, data: bytes, now: float) -> None:
        *lines, self.line = (self.line + data).split(b"\n")
        self.stream.write([line.upper() + b"\n" for line in lines])

    def ended(self) -> None:
        self.stream.write(b"goodbye\n")
        self.stream.close()


def upgrade(exchange: Exchange) -> None:
    """Answer 101 and speak the toy protocol from here on."""
    exchange.send(InformationalResponse(status_code=101, headers=[(b"connection", b"upgrade"), (b"upgrade", b"shout")]))
    exchange.take_over(Shout(exchange.stream))


class Relay(Receiver):
    """One end of a tunnel: what comes goes to the other end, no faster than that takes it."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.other: Relay | None = None

    def received(self, data: bytes, now: float) -> None:
        assert self.other is not None
        self.other.stream.write(data)

    def ended(self) -> None:
        assert self.other is not None
        self.other.stream.write_eof()

    def lost(self, error: BaseException | None) -> None:
        if self.other is not None:
            other, self.other = self.other, None
            other.other = None
            if error is None:
                other.stream.close()
            else:
                other.stream.abort()

    def writing_paused(self) -> None:
        if self.other is not None:
            self.other.stream.pause_reading()

    def writing_resumed(self) -> None:
        if self.other is not None:
            self.other.stream.resume_reading()


async def connect(exchange: Exchange, transport: Any) -> None:
    """Answer CONNECT: open a stream to its target and join the two (RFC 9110 section 9.3.6)."""
    host, _, port = exchange.request.target.decode().rpartition(":")
    far: list[Relay] = []

    def opened(stream: Stream) -> None:
        far.append(Relay(stream))
        stream.receiver = far[0]
        stream.pause_reading()

    await transport.connect((host, int(port)), opened)
    near = Relay(exchange.stream)
    near.other, far[0].other = far[0], near
    exchange.send(Response(status_code=200))
    exchange.take_over(near)
    far[0].stream.resume_reading()


class Prefix(Receiver):
    """One line before HTTP, as a proxy sends it; `then(stream, line)` returns who speaks after it."""

    LONGEST = 107

    def __init__(self, stream: Stream, then: Callable[[Stream, bytes], Receiver]) -> None:
        self.stream = stream
        self.then = then
        self.data = b""
        stream.receiver = self

    def received(self, data: bytes, now: float) -> None:
        self.data += data
        line, end, rest = self.data.partition(b"\r\n")
        if end:
            heir = self.stream.receiver = self.then(self.stream, line)
            if rest:
                heir.received(rest, now)
        elif len(self.data) > self.LONGEST:
            self.stream.abort()

    def ended(self) -> None:
        self.stream.close()
