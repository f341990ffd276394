"""What every engine's HTTP connection is: protocol state of one peer pair, without a socket, a clock or randomness.

An engine subclasses `Connection`. Where the extension is built, an augmenting declaration file gives it a C layout,
so that a compiled driver calls a compiled engine without a Python call in between; a connection written in plain
Python (the portable engine, a test's fake) is called the ordinary way.
"""

from __future__ import annotations

from .errors import Fault
from .events import Event, Request, Response, Signal
from .limits import Limits
from .state import Role, State

__all__ = ["Connection"]


class Connection:
    """One HTTP conversation, either role.

    Feed it bytes with `receive_data`, pull events with `next_event`, push events with `send`, collect bytes with
    `data_to_send`. It never blocks, sleeps, logs or reads the environment.

    Args:
        role: which side we are.
        limits: bounds it obeys.
    """

    def __init__(self, role: Role, limits: Limits) -> None:
        self.role = role
        self.limits = limits

    @property
    def our_state(self) -> State:
        """State of our role."""
        raise NotImplementedError

    @property
    def their_state(self) -> State:
        """State of the peer's role."""
        raise NotImplementedError

    # Bytes in, events out

    def receive_data(self, data: bytes | bytearray | memoryview, now: float = 0.0) -> None:
        """Append bytes from the peer.

        Args:
            data: bytes-like of any length, borrowed during the call; empty means end of input.
            now: monotonic seconds.

        Raises:
            LocalProtocolError: EVENT_ILLEGAL, bytes after the end of input.

        State: any.
        Cost: one copy at most.
        """
        raise NotImplementedError

    def next_event(self) -> Event | Signal:
        """Return the next event, NEED_DATA or PAUSED.

        Raises:
            RemoteProtocolError: the peer broke a rule; its role is in ERROR and the same fault is raised again.
        """
        raise NotImplementedError

    # Events in, bytes out

    def send(self, event: Event) -> None:
        """Frame one event into the output.

        Raises:
            LocalProtocolError: the event is illegal here; nothing of it was framed and the state is unchanged.
        """
        raise NotImplementedError

    def send_message(self, head: Request | Response, content: bytes = b"") -> None:
        """Frame a head, its whole content and the end: exactly `send` of the three events, all or nothing.

        A head without content-length gets one. In answer to HEAD the content is counted and not written.

        Raises:
            LocalProtocolError: as `send`; nothing of the three was framed.
        """
        raise NotImplementedError

    def send_file(self, length: int) -> None:
        """Account for `length` bytes of content that the caller moves itself (sendfile), in known-length framing only.

        Raises:
            LocalProtocolError: EVENT_ILLEGAL, or more than content-length promised.
        """
        raise NotImplementedError

    def data_to_send(self) -> bytes:
        """Return and forget the framed bytes, joined."""
        raise NotImplementedError

    def buffers_to_send(self) -> list[bytes]:
        """Return and forget the framed bytes, as the pieces they were framed in."""
        raise NotImplementedError

    # Cycle

    def start_next_cycle(self) -> None:
        """Begin the next exchange on the same connection.

        Raises:
            LocalProtocolError: EVENT_ILLEGAL unless both roles are DONE.
        """
        raise NotImplementedError

    def renew(self) -> bool:
        """Begin the next exchange if both roles are DONE; return whether they were."""
        if self.our_state is State.DONE and self.their_state is State.DONE:
            self.start_next_cycle()
            return True
        return False

    def reset(self) -> None:
        """Become as newly made, keeping role and limits; for a pool."""
        raise NotImplementedError

    @property
    def is_resting(self) -> bool:
        """True when both roles are IDLE, nothing is buffered either way and no message has begun.

        The empty line that may precede a request begins it.
        """
        raise NotImplementedError

    @property
    def unparsed(self) -> int:
        """Bytes received and not yet parsed."""
        raise NotImplementedError

    @property
    def trailing_data(self) -> tuple[bytes, bool]:
        """Bytes received and not parsed, and whether the input has ended; what a takeover starts with."""
        raise NotImplementedError

    @property
    def waiting_for_continue(self) -> bool:
        """True while the peer holds its content back for a 100 (RFC 9110 section 10.1.1)."""
        raise NotImplementedError

    # Content received straight into its final object

    @property
    def content_remaining(self) -> int:
        """Bytes of known-length content still to come and not buffered here, 0 when none, -1 when unknown."""
        raise NotImplementedError

    def content_received(self, length: int, now: float = 0.0) -> None:
        """Account for `length` bytes of content that the caller read itself; no `Data` is made for them.

        Raises:
            LocalProtocolError: EVENT_ILLEGAL, more than `content_remaining`.
        """
        raise NotImplementedError

    # Deadlines

    def next_deadline(self) -> float:
        """Monotonic second at which `expired` wants to be asked; infinity for never."""
        raise NotImplementedError

    def expired(self, now: float) -> Fault:
        """Return the fault of the deadline that has passed, or `Fault.NONE`."""
        raise NotImplementedError

    def pause_reading(self, now: float) -> None:
        """Stop the clocks of a message body: we, not the peer, are holding it up."""
        raise NotImplementedError

    def resume_reading(self, now: float) -> None:
        """Start the clocks of a message body again."""
        raise NotImplementedError
