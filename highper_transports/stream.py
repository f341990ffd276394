# cython: annotation_typing=False
"""What every provider's stream is made of.

Bytes, end of input and write pressure go to the receiver. A stream at rest has none: its owner is asked for one when
bytes come, so that a connection object is there only while there is something to do with it. As written here the
stream itself is what survives a rest; a provider that keeps less than the object replaces `rest`, and `doze`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from zope.interface import classImplements

from .interfaces import IReceiver, IStream
from .timers import NEVER, Timed

if TYPE_CHECKING:
    from highper_core.proxy_protocol import ProxyHeader

    from .intake import Intake
    from .interfaces import IStreamOwner, ITransport

__all__ = ["Receiver", "Stream"]


class Receiver:
    """Whom a stream hands its bytes to; `interfaces.IReceiver` says what each call means.

    The defaults are those of somebody who only reads.
    """

    __slots__ = ()

    def received(self, data: bytes, now: float) -> None:
        """Take non-empty bytes."""
        raise NotImplementedError

    def filled(self, count: int, now: float) -> None:
        """Bytes came and are in the intake given to the stream."""
        raise NotImplementedError

    def proceed(self, now: float) -> None:
        """Those whom the stream gave way to have come as far."""

    def ended(self) -> None:
        """The peer will send no more."""

    def lost(self, error: BaseException | None) -> None:
        """The stream is gone."""

    def writing_paused(self) -> None:
        """The write buffer passed its high-water mark."""

    def writing_resumed(self) -> None:
        """The write buffer fell to its low-water mark."""

    def expired(self, now: float) -> None:
        """The stream's deadline has passed."""

    def shutdown(self) -> None:
        """The server stops: end as soon as nothing runs."""

    def woken(self, stream: Stream) -> None:
        """The stream that was told to `doze` is this one now."""
        raise NotImplementedError


class Stream(Timed):
    """One peer's bytes; `interfaces.IStream` says what a subclass adds.

    A subclass calls the `deliver_*` methods, and nothing after `deliver_loss`.
    """

    __slots__ = (
        "receiver",
        "owner",
        "transport",
        "peer",
        "local",
        "scheme",
        "alpn",
        "fills",
        "sends_files",
        "dozes",
        "resting",
        "rested_until",
        "presented",
    )

    def __init__(self, transport: ITransport) -> None:
        Timed.__init__(self)
        self.receiver: Receiver | None = None
        self.owner: IStreamOwner | None = None
        self.transport = transport
        self.peer: Any = None
        self.local: Any = None
        self.scheme = "http"
        self.alpn: str | None = None
        self.fills = False
        self.sends_files = False
        self.dozes = False
        self.resting = False
        self.rested_until = NEVER
        self.presented: ProxyHeader | None = None

    def deliver(self, data: bytes, now: float) -> None:
        """Hand non-empty bytes to the receiver."""
        receiver = self.receiver
        if receiver is None:
            receiver = self._wake()
        receiver.received(data, now)

    def deliver_end(self) -> None:
        """Tell the end of input. At rest it means that the peer is done with us."""
        if self.receiver is None:
            self.close()
        else:
            self.receiver.ended()

    def deliver_pressure(self, paused: bool) -> None:
        """Tell that the write buffer passed its high-water mark, or fell to the low one."""
        if self.receiver is None:
            return
        if paused:
            self.receiver.writing_paused()
        else:
            self.receiver.writing_resumed()

    def deliver_loss(self, error: BaseException | None) -> None:
        """Tell that the stream is gone. The last call, once."""
        self.transport.timers.cancel(self)
        receiver, self.receiver = self.receiver, None
        owner, self.owner = self.owner, None
        try:
            if receiver is not None:
                receiver.lost(error)
        finally:
            if self.resting:
                self._rise()
                if owner is not None:
                    owner.lost_at_rest(1)
            elif owner is not None:
                owner.lost(self)

    def expired(self, now: float) -> None:
        """Pass the deadline on; at rest it says that nothing came."""
        if self.receiver is None:
            self.close()
        else:
            self.receiver.expired(now)

    def present(self, header: ProxyHeader) -> None:
        """Stand for whom a trusted proxy named, from now on and through every rest."""
        self.presented = header
        self.dozes = False  # only this object knows
        if not header.local:
            self.peer, self.local = header.source, header.destination
            if header.tls is not None:
                self.scheme = "https" if header.tls.secure else "http"

    def rest(self, deadline: float) -> None:
        """Have no receiver until bytes come, and end at `deadline`."""
        self.receiver = None
        self.resting = True
        self.rested_until = deadline
        transport = self.transport
        transport.rest.add(self)
        transport.timers.arm(self, deadline)

    def give_way(self) -> bool:
        """Let others that are ready come as far first. If so, the receiver is called to `proceed` behind them."""
        return False

    def doze(self, deadline: float) -> int:
        """Keep the receiver alone, where that is possible; -1 where it is not."""
        return -1

    @property
    def unwritten(self) -> int:
        """Bytes accepted by `write` and not yet by the peer's system."""
        raise NotImplementedError

    def write(self, data: bytes | list[bytes]) -> None:
        """Queue bytes."""
        raise NotImplementedError

    def write_eof(self) -> None:
        """Send end of input after what is queued."""
        raise NotImplementedError

    def receive_into(self, intake: Intake | None) -> None:
        """Write what comes into the room of `intake`; only where `fills`."""
        raise NotImplementedError

    async def send_file(self, file: BinaryIO, offset: int, length: int, timeout: float = 30.0) -> None:
        """Move a part of a file without copying it through here; only where `sends_files`."""
        raise NotImplementedError

    def limit_writes(self, high: int, low: int) -> None:
        """Set the water marks of the write buffer."""
        raise NotImplementedError

    def close(self) -> None:
        """Close after what is queued was written."""
        raise NotImplementedError

    def abort(self) -> None:
        """Close now."""
        raise NotImplementedError

    def pause_reading(self) -> None:
        """Deliver no more bytes until resumed."""
        raise NotImplementedError

    def resume_reading(self) -> None:
        """Deliver bytes again."""
        raise NotImplementedError

    def _wake(self) -> Receiver:
        assert self.owner is not None, "a stream has an owner or a receiver"
        if self.resting:
            self._rise()
        return self.owner.wake(self)

    def _rise(self) -> None:
        self.resting = False
        transport = self.transport
        transport.rest.discard(self)
        transport.timers.arm(self, NEVER)


classImplements(Receiver, IReceiver)
classImplements(Stream, IStream)
