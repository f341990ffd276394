"""Compression of messages: what two sides agree on, and the streams that come of it (RFC 7692).

Off unless asked for. Both sides' contexts are dropped after each message by default, so a connection at rest holds no
window; who wants to keep them says how many bytes that may cost. Output is bounded while it is inflated: nothing is
inflated that nobody has asked for, and no more than was asked for.

zlib cannot deflate into a window of 2**8; a side that is held to it sends its messages as they are, which RFC 7692
section 6.1 leaves to the sender.
"""

from __future__ import annotations

import zlib
from typing import Final, NamedTuple

from .errors import Fault, remote_error
from .state import Role

__all__ = [
    "NAME",
    "Deflate",
    "DeflateSettings",
    "Deflater",
    "Inflater",
    "Parameters",
    "accept_offer",
    "accept_response",
]

NAME: Final = b"permessage-deflate"
LEAST_BITS, MOST_BITS = 8, 15
TAIL: Final = b"\x00\x00\xff\xff"  # what a sender takes off the end of a message and a receiver puts back
_SLICE: Final = 4096  # input given to zlib at once, since it copies what it leaves
_SLICE_BEHIND_END: Final = 512  # the same behind a final block, where a few octets may be a whole stream
_STATE: Final = 8 * 1024  # what zlib keeps besides its windows

Element = tuple[bytes, tuple[tuple[bytes, bytes | None], ...]]
"""One element of Sec-WebSocket-Extensions: its name, and its parameters."""


class Parameters(NamedTuple):
    """What was agreed on. Source: RFC 7692 section 7.1."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = MOST_BITS
    client_max_window_bits: int = MOST_BITS

    def element(self) -> bytes:
        """Return the element that says so."""
        parts = [NAME]
        parts += [name.encode() for name in self._fields[:2] if getattr(self, name)]
        parts += [
            b"%s=%d" % (name.encode(), getattr(self, name)) for name in self._fields[2:] if getattr(self, name) < 15
        ]
        return b"; ".join(parts)


class DeflateSettings:
    """What we are ready to agree on, and how we compress.

    Args:
        server_no_context_takeover, client_no_context_takeover: the side forgets its context after each message.
        server_max_window_bits, client_max_window_bits: bound of the side's window, 8 to 15.
        level: 0 to 9, as zlib has it.
        memory_level: 1 to 9, as zlib has it.
        threshold: whole messages shorter than this are sent as they are.
        memory: bytes that one connection may keep between messages.

    Raises:
        ValueError: a value is out of range, or contexts that are kept take more than `memory`.
    """

    __slots__ = ("parameters", "level", "memory_level", "threshold")

    def __init__(
        self,
        *,
        server_no_context_takeover: bool = True,
        client_no_context_takeover: bool = True,
        server_max_window_bits: int = MOST_BITS,
        client_max_window_bits: int = MOST_BITS,
        level: int = 6,
        memory_level: int = 8,
        threshold: int = 64,
        memory: int = 64 * 1024,
    ) -> None:
        for name, value, least, most in (
            ("server_max_window_bits", server_max_window_bits, LEAST_BITS, MOST_BITS),
            ("client_max_window_bits", client_max_window_bits, LEAST_BITS, MOST_BITS),
            ("level", level, 0, 9),
            ("memory_level", memory_level, 1, 9),
        ):
            if not least <= value <= most:
                raise ValueError(f"{name} must be from {least} to {most}: {value!r}")
        self.parameters = Parameters(
            server_no_context_takeover, client_no_context_takeover, server_max_window_bits, client_max_window_bits
        )
        self.level = level
        self.memory_level = memory_level
        self.threshold = threshold
        kept = max(Deflate(role, self.parameters, self).memory for role in Role)
        if kept > memory:
            raise ValueError(f"contexts of {kept} bytes would be kept, and memory={memory}")

    def offer(self) -> bytes:
        """Return the element that a client offers. A bound of our own window is always offered: it costs nothing."""
        wanted = self.parameters
        element = wanted.element()
        return element if wanted.client_max_window_bits < MOST_BITS else element + b"; client_max_window_bits"


class Deflate:
    """What a connection makes of an agreement.

    Args:
        role: our side.
        parameters: the agreement.
        settings: how we compress.
    """

    __slots__ = ("parameters", "send_bits", "send_takeover", "receive_bits", "receive_takeover", "settings")

    def __init__(self, role: Role, parameters: Parameters, settings: DeflateSettings) -> None:
        self.parameters = parameters
        server = (parameters.server_max_window_bits, not parameters.server_no_context_takeover)
        client = (parameters.client_max_window_bits, not parameters.client_no_context_takeover)
        ours, theirs = (server, client) if role is Role.SERVER else (client, server)
        self.send_bits, self.send_takeover = ours
        self.receive_bits, self.receive_takeover = theirs
        self.settings = settings

    @property
    def memory(self) -> int:
        """About how many bytes are kept between messages, by the formulas of zlib's manual."""
        kept = 0
        if self.send_takeover and self.send_bits > LEAST_BITS:
            kept += (1 << self.send_bits + 2) + (1 << self.settings.memory_level + 9) + _STATE
        if self.receive_takeover:
            kept += (1 << self.receive_bits) + _STATE
        return kept

    def compresses(self, length: int, *, finished: bool) -> bool:
        """Tell whether a message whose first piece has `length` bytes is worth it."""
        return self.send_bits > LEAST_BITS and (not finished or length >= self.settings.threshold)

    def deflater(self) -> Deflater:
        """Return the stream of what we send."""
        return Deflater(self.send_bits, self.send_takeover, self.settings.level, self.settings.memory_level)

    def inflater(self) -> Inflater:
        """Return the stream of what we receive."""
        return Inflater(self.receive_bits, self.receive_takeover)


# Agreement


def accept_offer(offers: list[Element], settings: DeflateSettings) -> Parameters | None:
    """Return what a server agrees on with the first offer it can take up, or None.

    An offer that is malformed is declined, not refused (RFC 7692 section 7.1).
    """
    for name, given in offers:
        asked = _parse(given) if name == NAME else None
        if asked is None:
            continue
        ours = settings.parameters
        if "client_max_window_bits" not in asked and ours.client_max_window_bits < MOST_BITS:
            continue  # the client knows no way to bound its window
        return Parameters(
            "server_no_context_takeover" in asked or ours.server_no_context_takeover,
            "client_no_context_takeover" in asked or ours.client_no_context_takeover,
            min(asked.get("server_max_window_bits") or MOST_BITS, ours.server_max_window_bits),
            min(asked.get("client_max_window_bits") or MOST_BITS, ours.client_max_window_bits),
        )
    return None


def accept_response(given: tuple[tuple[bytes, bytes | None], ...], settings: DeflateSettings) -> Parameters | None:
    """Return what a server's answer to `settings.offer()` agrees on, or None where it may not answer so."""
    answer = _parse(given)
    if answer is None or answer.get("client_max_window_bits", 0) is None:
        return None
    ours = settings.parameters
    agreed = Parameters(
        "server_no_context_takeover" in answer,
        "client_no_context_takeover" in answer or ours.client_no_context_takeover,
        answer.get("server_max_window_bits") or MOST_BITS,
        answer.get("client_max_window_bits") or ours.client_max_window_bits,
    )
    kept = agreed.server_no_context_takeover >= ours.server_no_context_takeover
    within = agreed.server_max_window_bits <= ours.server_max_window_bits
    return agreed if kept and within and agreed.client_max_window_bits <= ours.client_max_window_bits else None


def _parse(given: tuple[tuple[bytes, bytes | None], ...]) -> dict[str, int | None] | None:
    """Return the parameters by name, the number of those that have one; None where one is malformed or repeated."""
    found: dict[str, int | None] = {}
    for octets, value in given:
        name = octets.decode("latin-1")
        if name in found or name not in Parameters._fields:
            return None
        if name.endswith("takeover"):
            if value is not None:
                return None
            found[name] = None
        elif value is None and name == "client_max_window_bits":
            found[name] = None
        elif value in _WINDOW_BITS:
            found[name] = int(value)
        else:
            return None
    return found


_WINDOW_BITS: Final = frozenset(b"%d" % bits for bits in range(LEAST_BITS, MOST_BITS + 1))


# Streams


class Deflater:
    """The stream of the messages that we send.

    Args:
        bits: our window, 9 to 15.
        takeover: the context outlives its message.
        level, memory_level: as zlib has them.
    """

    __slots__ = ("_bits", "_takeover", "_level", "_memory_level", "_stream")

    def __init__(self, bits: int, takeover: bool, level: int, memory_level: int) -> None:
        self._bits = bits
        self._takeover = takeover
        self._level = level
        self._memory_level = memory_level
        self._stream: zlib._Compress | None = None

    def deflate(self, data: bytes, finished: bool) -> bytes:
        """Return the payload that stands for `data`; the message ends with it where `finished`.

        Source: RFC 7692 section 7.2.1.
        """
        stream = self._stream
        if stream is None:
            stream = zlib.compressobj(self._level, zlib.DEFLATED, -self._bits, self._memory_level)
        payload = stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH)
        self._stream = stream if self._takeover or not finished else None
        return (payload[: -len(TAIL)] or b"\0") if finished else payload

    def reset(self) -> None:
        """Forget the context: the peer has been sent something that this stream did not see."""
        self._stream = None


class Inflater:
    """The stream of the messages that we receive. Input is given, then output is asked for until none is left.

    Args:
        bits: the peer's window, 8 to 15.
        takeover: the context outlives its message.
    """

    __slots__ = ("_bits", "_takeover", "_stream", "_input", "_at", "_left", "_full", "_slice")

    def __init__(self, bits: int, takeover: bool) -> None:
        self._bits = bits
        self._takeover = takeover
        self._stream: zlib._Decompress | None = None
        self._input = self._left = b""
        self._at = 0
        self._full = False  # the last output was as long as was allowed: more may be ready
        self._slice = _SLICE

    def receive(self, payload: bytes) -> None:
        """Take a run of payload. What was taken before has been inflated."""
        self._input = payload
        self._at = 0

    def end(self) -> None:
        """Take the end of the message. What was taken before has been inflated."""
        self.receive(TAIL)

    def ended(self) -> None:
        """The end has been inflated, too: begin anew, with the context or without."""
        self._slice = _SLICE
        if not self._takeover:
            self._stream = None

    def inflate(self, most: int) -> bytes:
        """Return from 1 to `most` bytes, or none when all input is used up.

        With 0 it returns one byte, where there is one: nothing may come any more. That one is found in front of a
        fault, too, though zlib drops what it inflated in the call that fails; so the cuts of the input do not matter.

        Raises:
            RemoteProtocolError: DEFLATE_INVALID.

        Cost: linear in what is given and what is returned.
        """
        while self._full or self._left or self._at < len(self._input):
            if not self._left and not self._full:
                self._left = self._input[self._at : self._at + self._slice]
                self._at += len(self._left)
            stream = self._stream
            if stream is None:
                stream = self._stream = zlib.decompressobj(-self._bits)
            before = None if most else stream.copy()
            try:
                data = stream.decompress(self._left, most or 1)
            except zlib.error as error:
                if before is not None and (data := _first_byte(before, self._left)):
                    return data
                raise remote_error(Fault.DEFLATE_INVALID, str(error)) from error
            self._full = len(data) == (most or 1) and not stream.eof
            if stream.eof:  # a final block: another stream may follow in the same message
                self._left = stream.unused_data
                self._stream = None
                self._slice = _SLICE_BEHIND_END
            else:
                self._left = stream.unconsumed_tail
            if data:
                return data
        self._input = b""
        return b""


def _first_byte(stream: zlib._Decompress, given: bytes) -> bytes:
    """Return what `given` inflates to in front of its fault, at most a byte."""
    data = stream.decompress(b"", 1)
    for at in range(len(given)):
        if data:
            return data
        try:
            data = stream.decompress(given[at : at + 1], 1)
        except zlib.error:
            return b""
    return data
