"""What an engine promises, as zope interfaces. Nothing imports this module at run time but tests and third parties.

`highper_core.testing.check_http_engine` judges an engine by them; docstrings of `connection.Connection` say what each
method means.
"""

from __future__ import annotations

from zope.interface import Attribute, Interface

from .errors import Fault
from .events import Event, Request, Response, Signal
from .limits import Limits
from .state import Role

__all__ = ["IEngine", "IHttpConnection"]


class IEngine(Interface):
    """A provider of connections."""

    name = Attribute("Name in the registry.")

    def http(role: Role, limits: Limits) -> IHttpConnection:
        """Return a fresh `IHttpConnection`."""


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
