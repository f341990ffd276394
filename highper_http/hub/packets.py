"""What hubs tell each other over a bus: MessagePack arrays that begin with who says it, the how-manieth, and what.

A packet may come twice, since a bus that was cut off sends again what it cannot know to have arrived. Senders number
their packets, and no bus changes the order of one sender's, so a number that is not higher than the last one is old.
"""

from __future__ import annotations

from enum import IntEnum
from secrets import token_urlsafe
from typing import Any, Final, NamedTuple

import msgpack  # type: ignore[import-untyped]

from ..event_text import check_name

__all__ = ["Kind", "Packet", "Sender", "Senders", "parse_packet"]

SENDERS: Final = 1000  # remembered; every start of a process is a new one
LONGEST: Final = 64  # characters of a hub's identity


class Kind(IntEnum):
    """What a packet says."""

    MESSAGE = 0  # message, key, name
    ASK = 1  # who is in this topic?
    HERE = 2  # these are, in my process, and nobody else
    CAME = 3  # this one has come
    WENT = 4  # this one has gone
    ALIVE = 5
    GONE = 6  # I stop


class Packet(NamedTuple):
    """One packet.

    Args:
        sender: identity of the hub that sent it.
        number: which of its packets.
        kind: what it says.
        content: as `kind` has it.
    """

    sender: str
    number: int
    kind: Kind
    content: list[Any]


class Sender:
    """One hub as others know it."""

    __slots__ = ("identity", "number")

    def __init__(self) -> None:
        self.identity = token_urlsafe(6)
        self.number = 0

    def next_identity(self) -> str:
        """Return an identity for a message, which no other has."""
        self.number += 1
        return f"{self.identity}.{self.number:x}"

    def packet(self, kind: Kind, *content: object) -> bytes:
        """Return the next packet."""
        self.number += 1
        packed: bytes = msgpack.packb((self.identity, self.number, kind.value, *content))
        return packed


class Senders:
    """Which packet of each hub was the last; the least recently heard are forgotten beyond a number."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def is_new(self, packet: Packet) -> bool:
        """Remember the packet; return whether it comes for the first time."""
        last = self._last.pop(packet.sender, 0)
        self._last[packet.sender] = max(last, packet.number)
        if len(self._last) > SENDERS:
            del self._last[next(iter(self._last))]
        return packet.number > last


def parse_packet(data: bytes) -> Packet:
    """Return what a packet says.

    Raises:
        ValueError: it is none.
    """
    try:
        sender, number, kind, *content = msgpack.unpackb(data)
        kind = Kind(kind)
        if not _is_identity(sender) or not isinstance(number, int) or not _fits(kind, content):
            raise TypeError("a field of another type")
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise ValueError(f"not a packet of a hub: {error}") from error
    return Packet(sender, number, kind, content)


def _is_identity(sender: Any) -> bool:
    """Whether a hub may be called so: it becomes a part of the identity of events."""
    return isinstance(sender, str) and 0 < len(sender) <= LONGEST and sender.isascii() and sender.isprintable()


def _fits(kind: Kind, content: list[Any]) -> bool:
    if kind is Kind.MESSAGE:
        message, key, name = content
        if name is not None:
            check_name(name)
        return isinstance(message, (str, bytes)) and (key is None or isinstance(key, str))
    if kind is Kind.HERE:
        return len(content) == 1 and isinstance(content[0], list) and all(isinstance(who, str) for who in content[0])
    if kind in (Kind.CAME, Kind.WENT):
        return len(content) == 1 and isinstance(content[0], str)
    return not content
