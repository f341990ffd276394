"""What a connection made of some bytes, as a value that can be compared.

A reading feeds the bytes in given pieces, answers each request as soon as it is complete (a CLIENT asks again as soon
as its answer is complete), and records events, fault, states, what was written and what was left over. It is the same
function of the bytes for every engine and every way of cutting, which is what the oracles in `invariants` rest on.

Only `RemoteProtocolError` may leave `next_event`, and nothing may leave the other calls made here: any other
exception passes through and is a finding (oracle d).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from highper_core import (
    NEED_DATA,
    PAUSED,
    Connection,
    ConnectionClosed,
    Data,
    EndOfMessage,
    Event,
    Fault,
    HttpConnection,
    InformationalResponse,
    Limits,
    RemoteProtocolError,
    Request,
    Response,
    Role,
    State,
)

__all__ = ["ASKED", "SMALL", "Reading", "pieces_of", "read"]

SMALL = Limits(
    request_line=48,
    field_line=48,
    head=192,
    fields=6,
    content=96,
    chunk_line=16,
    chunk_extensions=24,
    direct_content=32,
)
"""Bounds near enough that short inputs reach every one of them."""

ASKED = {
    b"GET": Request(method=b"GET", target=b"/", headers=[(b"host", b"a")]),
    b"HEAD": Request(method=b"HEAD", target=b"/", headers=[(b"host", b"a")]),
    b"CONNECT": Request(method=b"CONNECT", target=b"a:1", headers=[(b"host", b"a:1")]),
    b"UPGRADE": Request(
        method=b"GET", target=b"/", headers=[(b"host", b"a"), (b"connection", b"upgrade"), (b"upgrade", b"toy")]
    ),
}
"""What a CLIENT can have asked before the bytes arrive; it decides how they are read (RFC 9112 section 6.3)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a connection made of some bytes. Adjacent `Data` events are merged: cuts between them carry no meaning."""

    events: tuple[Event, ...]
    fault: Fault
    states: tuple[State, State]
    written: bytes
    trailing: bytes | None  # None after a fault, where bytes may still have been outside
    steps: int


def pieces_of(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """Return `data` cut at the offsets `cuts`, without empty pieces."""
    bounds = [0, *sorted(cut for cut in set(cuts) if 0 < cut < len(data)), len(data)]
    return [data[start:stop] for start, stop in pairwise(bounds) if start < stop]


def read(
    role: Role,
    engine: str,
    pieces: Sequence[bytes],
    *,
    limits: Limits | None = None,
    end: bool = True,
    switch: bool = False,
    asked: bytes = b"GET",
) -> Reading:
    """Read `pieces` with a fresh connection.

    Args:
        role: our side.
        engine: its name.
        pieces: the bytes as they arrive.
        limits: bounds; None for the defaults.
        end: the end of input follows.
        switch: a SERVER accepts a proposed upgrade or CONNECT.
        asked: key of `ASKED`, for a CLIENT.
    """
    reader = _Reader(HttpConnection(role, engine=engine, limits=limits or _DEFAULTS), role, switch, asked)
    if role is Role.CLIENT:
        reader.ask()
    for piece in [*pieces, b""] if end else pieces:
        if not reader.take(piece):
            break
    return reader.reading()


class _Reader:
    """One connection, and the record of what it showed."""

    def __init__(self, connection: Connection, role: Role, switch: bool, asked: bytes) -> None:
        self.connection = connection
        self.role = role
        self.switch = switch
        self.request = ASKED[asked]
        self.events: list[Event] = []
        self.content: list[bytes] = []
        self.fault = Fault.NONE
        self.steps = 0

    def ask(self) -> None:
        """Send the request, as a CLIENT."""
        self.connection.send_message(self.request)

    def take(self, piece: bytes) -> bool:
        """Feed one piece and pull every event; False once the peer's side is in ERROR."""
        connection = self.connection
        connection.receive_data(piece)
        try:
            while True:
                self.steps += 1
                event = connection.next_event()
                if event is NEED_DATA:
                    return True
                if event is PAUSED:
                    if not self._move_on():
                        return True
                    continue
                assert isinstance(event, Event), event
                self._note(event)
        except RemoteProtocolError as error:
            self.fault = error.fault
        self._refuse()
        return False

    def reading(self) -> Reading:
        """Return the record."""
        self._flush()
        connection = self.connection
        return Reading(
            tuple(self.events),
            self.fault,
            (connection.our_state, connection.their_state),
            connection.data_to_send(),
            None if self.fault else connection.trailing_data[0],
            self.steps,
        )

    def _note(self, event: Event) -> None:
        kind = type(event)
        if kind is Data:
            data = event.data  # type: ignore[attr-defined]
            assert type(data) is bytes
            assert data, "an empty Data event"
            self.content.append(data)
            return
        self._flush()
        self.events.append(event)

    def _flush(self) -> None:
        if self.content:
            self.events.append(Data(b"".join(self.content)))
            self.content.clear()

    def _move_on(self) -> bool:
        """Do what lifts the pause; False when nothing of ours can."""
        connection = self.connection
        if self.role is Role.SERVER and connection.our_state is State.SEND_RESPONSE:
            if not self.events or type(self.events[-1]) not in (EndOfMessage, ConnectionClosed):
                return False
            self._answer()
            return True
        if connection.our_state is State.DONE and connection.their_state is State.DONE:
            connection.start_next_cycle()
            if self.role is Role.CLIENT:
                self.ask()
            return True
        return False

    def _answer(self) -> None:
        request = next(event for event in reversed(self.events) if isinstance(event, Request))
        tunnel = request.method == b"CONNECT"
        if self.switch and self.connection.their_state is State.MIGHT_SWITCH_PROTOCOL:
            self.connection.send(_TUNNEL if tunnel else _SWITCHING)
        else:
            self.connection.send_message(_NOT_FOUND if tunnel else _OK, b"ok")

    def _refuse(self) -> None:
        """See that the fault stays, and refuse as a server does."""
        connection = self.connection
        again = Fault.NONE
        try:
            connection.next_event()
        except RemoteProtocolError as error:
            again = error.fault
        assert again is self.fault, ("the fault did not stay", self.fault, again)
        status = self.fault.status_hint
        if self.role is Role.SERVER and status and connection.our_state in (State.IDLE, State.SEND_RESPONSE):
            connection.send_message(Response(status_code=status), b"no")


_DEFAULTS = Limits()
_TUNNEL = Response(status_code=200)
_NOT_FOUND = Response(status_code=404)
_OK = Response(status_code=200, headers=[(b"content-type", b"text/plain")])
_SWITCHING = InformationalResponse(status_code=101, headers=[(b"connection", b"upgrade"), (b"upgrade", b"toy")])
