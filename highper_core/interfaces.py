"""What an engine promises, as zope interfaces. Nothing imports this module at run time but tests and third parties.

`check_http_engine` and `check_websocket_engine` of `highper_core.testing` judge an engine by them; docstrings of
`connection.Connection` and `websocket.WebSocket` say what each method means.
"""

from __future__ import annotations

from zope.interface import Attribute, Interface

from .errors import Fault
from .events import Event, Request, Response, Signal
from .limits import Limits
from .permessage_deflate import Deflate
from .state import Role
from .websocket import MaskSource

__all__ = ["IEngine", "IHttpConnection", "IWebSocketConnection"]


class IEngine(Interface):
    """A provider of connections."""

    name = Attribute("Name in the registry.")

    def http(role: Role, limits: Limits) -> IHttpConnection:
        """Return a fresh `IHttpConnection`."""

    def websocket(
        role: Role,
        limits: Limits,
        deflate: Deflate | None = None,
        mask_source: MaskSource | None = None,
        gather: bool = True,
    ) -> IWebSocketConnection:
        """Return a fresh `IWebSocketConnection`, whose opening handshake is done."""


class IHttpConnection(Interface):
    """Protocol state of one peer pair: bytes and events, both ways.

    Not promised: thread safety; that two connections of different engines cut content into the same `Data` events.
    """

    role = Attribute("Our side.")
    limits = Attribute("The `Limits` it obeys.")
    our_state = Attribute("State of our role.")
    their_state = Attribute("State of the peer's role.")
    is_resting = Attribute("Both roles are IDLE, nothing is buffered either way and no message has begun.")
    unparsed = Attribute("Bytes received and not yet parsed.")
    trailing_data = Attribute("Bytes received and not parsed, and whether the input has ended.")
    waiting_for_continue = Attribute("The peer holds its content back for a 100.")
    content_remaining = Attribute("Bytes of known-length content not yet here; 0 for none, -1 for unknown.")

    def receive_data(data: bytes | bytearray | memoryview, now: float = 0.0) -> None:
        """Append bytes from the peer; empty means end of input."""

    def next_event() -> Event | Signal:
        """Return the next event, NEED_DATA or PAUSED."""

    def send(event: Event) -> None:
        """Frame one event into the output."""

    def send_message(head: Request | Response, content: bytes = b"") -> None:
        """Frame a head, its whole content and the end, or nothing."""

    def send_file(length: int) -> None:
        """Account for content that the caller moves itself."""

    def data_to_send() -> bytes:
        """Return and forget the framed bytes, joined."""

    def buffers_to_send() -> list[bytes]:
        """Return and forget the framed bytes, in pieces."""

    def start_next_cycle() -> None:
        """Begin the next exchange."""

    def renew() -> bool:
        """Begin the next exchange if both roles are DONE; return whether they were."""

    def reset() -> None:
        """Become as newly made."""

    def content_received(length: int, now: float = 0.0) -> None:
        """Account for content that the caller read itself."""

    def next_deadline() -> float:
        """Return when `expired` wants to be asked."""

    def expired(now: float) -> Fault:
        """Return the fault of the deadline that has passed."""

    def pause_reading(now: float) -> None:
        """Stop the clocks of content."""

    def resume_reading(now: float) -> None:
        """Start the clocks of content again."""


class IWebSocketConnection(Interface):
    """Protocol state of one WebSocket behind its opening handshake: bytes and events, both ways.

    Not promised: thread safety; where messages are cut into fragments; how much of a message was shown before a fault;
    of a compressed text that is neither DEFLATE nor UTF-8, which of the two faults it is; that a peer is refused whose
    compressed message reaches behind a window smaller than 32 KiB that was agreed on.
    """

    role = Attribute("Our side.")
    limits = Attribute("The `Limits` it obeys.")
    deflate = Attribute("The compression that was agreed on, None for none.")
    gather = Attribute("Show messages whole; may be set at any time.")
    state = Attribute("Where it is in its life, a `WebSocketState`.")
    must_close = Attribute("The stream is to be closed once what is framed has been written.")
    is_resting = Attribute("It is OPEN, nothing is buffered either way and no message is under way.")
    unparsed = Attribute("Bytes received and not yet parsed.")
    latency = Attribute("Seconds from our last Ping to its Pong; negative before there was one.")

    def receive_data(data: bytes | bytearray | memoryview, now: float = 0.0) -> None:
        """Append bytes from the peer; empty means end of input."""

    def next_event() -> Event | Signal:
        """Return the next event, or NEED_DATA."""

    def send(event: Event) -> None:
        """Frame one event into the output."""

    def send_message(message: str | bytes) -> None:
        """Frame a whole message."""

    def send_framed(frames: bytes, compressed: bool = False) -> None:
        """Put a whole message that `frame_message` has framed into the output."""

    def data_to_send() -> bytes:
        """Return and forget the framed bytes, joined."""

    def buffers_to_send() -> list[bytes]:
        """Return and forget the framed bytes, in pieces."""

    def next_deadline() -> float:
        """Return when `expired` wants to be asked."""

    def expired(now: float) -> Fault:
        """Do what is due, and return the fault of the deadline that has passed."""

    def pause_reading(now: float) -> None:
        """Stop the clocks of the peer's silence."""

    def resume_reading(now: float) -> None:
        """Start them again."""
