"""The client's side of a WebSocket, played by hand against a server in memory."""

from __future__ import annotations

import os

from support.sockets import PATIENT, UPGRADE, Served

from highper_core.engines import WebSocketConnection
from highper_core.events import NEED_DATA, Event
from highper_core.frames import Opcode, serialize_frame
from highper_core.state import Role
from highper_transports.memory import Peer

__all__ = ["Hand", "MASK"]

MASK = b"\x01\x02\x03\x04"


class Hand:
    """A client that is played by hand, its opening handshake done."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.core = WebSocketConnection(Role.CLIENT, "auto", PATIENT, mask_source=os.urandom)

    @classmethod
    async def dial(cls, site: Served, path: bytes = b"/", fields: bytes = b"") -> Hand:
        peer = await site.transport.dial(site.address)
        peer.send(UPGRADE % (path, fields))
        head = await peer.receive_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        return cls(peer)

    def send(self, opcode: Opcode, payload: bytes, finished: bool = True, compressed: bool = False) -> None:
        """Send a frame, whatever the core would say to it."""
        self.peer.send(serialize_frame(opcode, payload, finished=finished, compressed=compressed, mask=MASK))

    async def receive(self) -> Event:
        while (event := self.core.next_event()) is NEED_DATA:
            data = await self.peer.receive()
            assert data, "the stream ended without a Close"
            self.core.receive_data(data)
        assert isinstance(event, Event)
        return event
