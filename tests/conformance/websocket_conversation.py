"""A WebSocket that lives through a case, and the record of what it showed.

Fragments of one message are joined, also around the control frames between them: where a message is cut carries no
meaning. How much of a message was shown before a fault is not promised, so what a fault has cut off is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from conformance.load_websocket import KEY, WebSocketCase

from highper_core import NEED_DATA, Event, Fault, RemoteProtocolError, Role
from highper_core.engines import WebSocketConnection
from highper_core.events import BytesFragment, TextFragment
from highper_core.permessage_deflate import Deflate
from highper_core.websocket import WebSocket

__all__ = ["SocketRecord", "live_through", "opened", "whole_messages"]


@dataclass(frozen=True, slots=True)
class SocketRecord:
    """What a WebSocket made of a case."""

    events: tuple[Event, ...]
    fault: Fault
    state: str
    written: bytes
    must_close: bool


def opened(case: WebSocketCase, engine: str, *, gather: bool = True) -> WebSocket:
    """Return a WebSocket of `case`, as it is behind its opening handshake. A client always masks with KEY."""
    settings = case.deflate
    return WebSocketConnection(
        case.role,
        engine,
        case.limits,
        deflate=None if settings is None else Deflate(case.role, settings.parameters, settings),
        mask_source=(lambda _: KEY) if case.role is Role.CLIENT else None,
        gather=gather,
    )


def live_through(case: WebSocketCase, engine: str, pieces: Iterable[bytes], *, gather: bool = True) -> SocketRecord:
    """Send what the case sends, feed `pieces`, and return the record. What is written is fetched after every piece."""
    socket = opened(case, engine, gather=gather)
    for event in case.send:
        socket.send(event)
    written = [socket.data_to_send()]
    events: list[Event] = []
    fault = Fault.NONE
    for now, piece in enumerate([*pieces, b""] if case.end_of_input else pieces, start=1):
        socket.receive_data(piece, float(now))
        try:
            while (event := socket.next_event()) is not NEED_DATA:
                assert isinstance(event, Event)
                events.append(event)
        except RemoteProtocolError as error:
            fault = error.fault
        written.append(socket.data_to_send())
    return SocketRecord(whole_messages(events), fault, socket.state.name, b"".join(written), socket.must_close)


def whole_messages(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return `events` with each message joined where it ends; one that does not end is left out."""
    shown: list[Event] = []
    text, data = "", b""
    for event in events:
        if isinstance(event, TextFragment):
            text += event.text
            if event.finished:
                shown.append(TextFragment(text))
                text = ""
        elif isinstance(event, BytesFragment):
            data += bytes(event.data)
            if event.finished:
                shown.append(BytesFragment(data))
                data = b""
        else:
            shown.append(event)
    return tuple(shown)
