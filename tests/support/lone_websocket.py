"""WebSockets by themselves, of either role and engine: made, led into any state, given bytes and events."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from highper_core import NEED_DATA, Event, Fault, Limits, LocalProtocolError, Role
from highper_core.engines import WebSocketConnection
from highper_core.errors import RemoteProtocolError
from highper_core.events import CloseConnection
from highper_core.frames import Opcode, serialize_frame
from highper_core.permessage_deflate import Deflate, DeflateSettings
from highper_core.websocket import WebSocket

__all__ = ["KEEPING", "KEY", "client", "from_client", "in_states", "pull", "refusal", "server"]

KEY = b"abcd"
KEEPING = DeflateSettings(server_no_context_takeover=False, client_no_context_takeover=False, memory=1 << 20)


def server(name: str, settings: DeflateSettings | None = None, *, gather: bool = True, **limits: object) -> WebSocket:
    deflate = None if settings is None else Deflate(Role.SERVER, settings.parameters, settings)
    return WebSocketConnection(Role.SERVER, name, Limits(**limits), deflate=deflate, gather=gather)  # type: ignore[arg-type]


def client(name: str, settings: DeflateSettings | None = None, **limits: object) -> WebSocket:
    deflate = None if settings is None else Deflate(Role.CLIENT, settings.parameters, settings)
    return WebSocketConnection(Role.CLIENT, name, Limits(**limits), deflate=deflate, mask_source=lambda _: KEY)  # type: ignore[arg-type]


def pull(socket: WebSocket, data: bytes = b"", now: float = 0.0) -> list[Event]:
    if data:
        socket.receive_data(data, now)
    events = []
    while (event := socket.next_event()) is not NEED_DATA:
        assert isinstance(event, Event)
        events.append(event)
    return events


def from_client(opcode: Opcode, payload: bytes = b"", *, finished: bool = True) -> bytes:
    return serialize_frame(opcode, payload, finished=finished, mask=KEY)


def refusal(socket: WebSocket, event: Event) -> Fault:
    with pytest.raises(LocalProtocolError) as caught:
        socket.send(event)
    return caught.value.fault


def in_states(name: str) -> Iterator[tuple[str, WebSocket]]:
    """Every state of a server's socket, by every way that leads there."""
    yield "OPEN", server(name)
    closing = server(name)
    closing.send(CloseConnection())
    yield "CLOSING", closing
    by_peer = server(name)
    pull(by_peer, from_client(Opcode.CLOSE))
    yield "CLOSED", by_peer
    by_both = server(name)
    by_both.send(CloseConnection())
    pull(by_both, from_client(Opcode.CLOSE))
    yield "CLOSED", by_both
    failed = server(name)
    with pytest.raises(RemoteProtocolError):
        pull(failed, b"\xff")
    yield "FAILED", failed
    late = server(name)
    late.send(CloseConnection())
    late.expired(0.0)
    assert late.expired(10.0) is Fault.CLOSE_TIMEOUT
    yield "FAILED", late
    silent = server(name)
    assert [silent.expired(now) for now in (0.0, 20.0, 40.0)] == [Fault.NONE, Fault.NONE, Fault.PONG_TIMEOUT]
    yield "FAILED", silent
