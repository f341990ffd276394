"""Tools for whoever tests a connection, an engine, or something built on them. Published; changes are announced.

`ConnectionPair` joins a CLIENT and a SERVER by a pretend wire. `SPLITS` are ways to cut the same bytes: what a
connection shows must not depend on them. `read` collects what one shows. `check_http_engine` and
`check_websocket_engine` are the lists of promises every engine keeps, third-party ones included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from .engines import AUTO, HttpConnection
from .errors import Fault, RemoteProtocolError
from .events import NEED_DATA, PAUSED, BytesFragment, Data, Event, TextFragment
from .limits import Limits
from .state import Role

if TYPE_CHECKING:
    from .connection import Connection
    from .engines import Engine
    from .websocket import WebSocket

__all__ = [
    "SPLITS",
    "ConnectionPair",
    "check_http_engine",
    "check_websocket_engine",
    "every_split",
    "merged",
    "read",
]

_RANDOM_CUTS: Final = 8  # cuttings, the last one with as many cuts


def _whole(data: bytes) -> Iterator[list[bytes]]:
    yield [data]


def _every_byte(data: bytes) -> Iterator[list[bytes]]:
    yield [data[at : at + 1] for at in range(len(data))]


def _each_cut(data: bytes) -> Iterator[list[bytes]]:
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]


def _geometric(data: bytes) -> Iterator[list[bytes]]:
    pieces, at, length = [], 0, 1
    while at < len(data):
        pieces.append(data[at : at + length])
        at += length
        length *= 2
    yield pieces


def _random(data: bytes) -> Iterator[list[bytes]]:
    state = 1
    for count in range(1, _RANDOM_CUTS + 1):
        bounds = {0, len(data)}
        for _ in range(count):  # a linear congruential generator: the same cuts every time, and no `random` in the core
            state = (state * 1103515245 + 12345) % (1 << 31)
            bounds.add((state >> 8) % (len(data) + 1))
        yield [data[start:stop] for start, stop in pairwise(sorted(bounds))]


SPLITS: Final[dict[str, Callable[[bytes], Iterator[list[bytes]]]]] = {
    "whole": _whole,
    "every byte": _every_byte,
    "each cut": _each_cut,
    "geometric": _geometric,
    "random": _random,
}
"""Ways to cut bytes into pieces, none of them empty; each yields one or more cuttings of what it is given."""


def every_split(data: bytes) -> Iterator[list[bytes]]:
    """Yield the pieces of `data`, cut in every way of `SPLITS`."""
    for split in SPLITS.values():
        yield from split(data)


def merged(events: list[Event]) -> list[Event]:
    """Return `events` with adjacent `Data`, or fragments of one message, joined: where they are cut has no meaning."""
    joined: list[Event] = []
    for event in events:
        one = _joined(joined[-1], event) if joined else None
        if one is None:
            joined.append(event)
        else:
            joined[-1] = one
    return joined


def _joined(last: Event, event: Event) -> Event | None:
    if isinstance(event, Data) and isinstance(last, Data):
        return Data(bytes(last.data) + bytes(event.data), event.stream_id)
    if isinstance(event, TextFragment) and isinstance(last, TextFragment) and not last.finished:
        return TextFragment(last.text + event.text, event.finished, event.stream_id)
    if isinstance(event, BytesFragment) and isinstance(last, BytesFragment) and not last.finished:
        return BytesFragment(bytes(last.data) + bytes(event.data), event.finished, event.stream_id)
    return None


def read(
    connection: Connection | WebSocket, *pieces: bytes, end: bool = False, now: float = 0.0
) -> tuple[list[Event], Fault]:
    """Feed `pieces` and pull events until the connection needs data or pauses.

    Args:
        connection: who reads, HTTP or a WebSocket.
        pieces: bytes, none of them empty.
        end: the end of input follows.
        now: monotonic seconds.

    Returns:
        the events, adjacent content joined, and the fault that ended the reading.
    """
    events: list[Event] = []
    for piece in [*pieces, b""] if end else pieces or [None]:
        if piece is not None:
            connection.receive_data(piece, now)
        try:
            while (event := connection.next_event()) is not NEED_DATA and event is not PAUSED:
                assert isinstance(event, Event)
                events.append(event)
        except RemoteProtocolError as error:
            return merged(events), error.fault
    return merged(events), Fault.NONE


class ConnectionPair:
    """A client and a server on a pretend wire that loses and changes nothing.

    Args:
        client_engine, server_engine: names of their engines.
        limits: bounds both obey; None for the defaults.
        split: how the bytes are cut on their way, one of `SPLITS`; its first cutting is used.
    """

    def __init__(
        self,
        client_engine: str = AUTO,
        server_engine: str = AUTO,
        limits: Limits | None = None,
        split: str = "whole",
    ) -> None:
        self.client = HttpConnection(Role.CLIENT, client_engine, limits)
        self.server = HttpConnection(Role.SERVER, server_engine, limits)
        self._split = SPLITS[split]

    def send(self, role: Role, *events: Event) -> list[Event]:
        """Send `events` as `role` and return what the other side saw.

        Raises:
            LocalProtocolError: an event is illegal.
            RemoteProtocolError: the other side refuses what was written.
        """
        for event in events:
            self.connection(role).send(event)
        return self.deliver(role)

    def deliver(self, role: Role, *, end: bool = False) -> list[Event]:
        """Carry what `role` has written to the other side, with the end of input if asked; return the events there."""
        data = self.connection(role).data_to_send()
        receiver = self.connection(Role.SERVER if role is Role.CLIENT else Role.CLIENT)
        pieces = next(self._split(data)) if data else []
        events, fault = read(receiver, *pieces, end=end)
        if fault:
            receiver.next_event()  # raises it again
        return events

    def connection(self, role: Role) -> Connection:
        """Return the connection of `role`."""
        return self.client if role is Role.CLIENT else self.server

    def start_next_cycle(self) -> None:
        """Begin the next exchange on both sides."""
        self.client.start_next_cycle()
        self.server.start_next_cycle()


def check_http_engine(engine: Engine) -> list[str]:
    """Judge the HTTP connections of an engine by every promise.

    Args:
        engine: provider of `interfaces.IEngine`.

    Returns:
        the names of the promises, all of them kept.

    Raises:
        AssertionError: a promise was broken; a note on it names which.
    """
    from ._promises import PROMISES

    return _judged(engine, PROMISES)


def check_websocket_engine(engine: Engine) -> list[str]:
    """Judge the WebSockets of an engine by every promise.

    Args:
        engine: provider of `interfaces.IEngine`; only its `websocket` and its name are used.

    Returns:
        the names of the promises, all of them kept.

    Raises:
        AssertionError: a promise was broken; a note on it names which.
    """
    from ._websocket_promises import PROMISES

    return _judged(engine, PROMISES)


def _judged(engine: Engine, promises: Sequence[Callable[[Engine], None]]) -> list[str]:
    for promise in promises:
        try:
            promise(engine)
        except Exception as error:
            error.add_note(f"engine {engine.name!r} breaks the promise {promise.__name__!r}: {promise.__doc__}")
            raise
    return [promise.__name__ for promise in promises]
