"""TLS over any stream, as through a tunnel: what travels is records, what the receiver gets is content.

Providers secure their own sockets themselves, and faster. This is for a stream that carries something else first.

    handshake --done--> open --close_notify of the peer--> ended: its end is told, we may still write
        |--failed--> ConnectFailed  |--end of input without one--> truncated: lost, with a reason
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .errors import ConnectFailed, StreamBroken
from .stream import Receiver, Stream
from .tls import TLS

if TYPE_CHECKING:
    from .interfaces import IWaiter

__all__ = ["LayeredStream", "layer"]

PIECE = 16 * 1024  # content of one record, and what is decrypted at a time


class _Beneath(Receiver):
    """The receiver of the stream that records travel on."""

    __slots__ = ("_above",)

    def __init__(self, above: LayeredStream) -> None:
        self._above = above

    def received(self, data: bytes, now: float) -> None:
        """Pass records on."""
        self._above.absorb(data)

    def ended(self) -> None:
        """Content ends with a close_notify: what ends without is cut off."""
        self._above.cut_off()

    def lost(self, error: BaseException | None) -> None:
        """Pass the end on."""
        self._above.beneath_lost(error)

    def writing_paused(self) -> None:
        """Pass write pressure on."""
        self._above.deliver_pressure(True)

    def writing_resumed(self) -> None:
        """Pass the end of write pressure on."""
        self._above.deliver_pressure(False)

    def expired(self, now: float) -> None:
        """Deadlines are those of the stream above."""


class LayeredStream(Stream):
    """A client's content over a TLS session whose records travel on `beneath`. Made by `layer`."""

    __slots__ = (
        "_beneath",
        "_closing",
        "_end_told",
        "_error",
        "_greeted",
        "_incoming",
        "_lost",
        "_outgoing",
        "_paused",
        "_pending",
        "_tls",
    )

    def __init__(self, beneath: Stream, tls: TLS, hostname: str, greeted: IWaiter) -> None:
        Stream.__init__(self, beneath.transport)
        self.peer = beneath.peer
        self.local = beneath.local
        self.scheme = "https"
        self._beneath = beneath
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.context.wrap_bio(self._incoming, self._outgoing, server_hostname=hostname)
        self._greeted: IWaiter | None = greeted
        self._error: BaseException | None = None
        self._paused = False
        self._pending = False
        self._end_told = False
        self._closing = False
        self._lost = False
        beneath.receiver = _Beneath(self)

    # The session's side

    def greet(self) -> None:
        """Go on with the handshake."""
        assert self._greeted is not None
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except (ssl.SSLError, ValueError) as error:
            self._flush()  # an alert
            self._break(error)
        else:
            self._flush()
            self.alpn = self._tls.selected_alpn_protocol()
            greeted, self._greeted = self._greeted, None
            self._paused = True  # until it has a receiver
            greeted.wake()

    def absorb(self, data: bytes) -> None:
        """Take records of the peer; behind the end, ours or its, they mean nothing."""
        if self._closing or self._end_told or self._error is not None:
            return
        self._incoming.write(data)
        if self._greeted is not None:
            self.greet()
        elif not self._pending:
            self._deliver_content()

    def _deliver_content(self) -> None:
        """Deliver what is complete, while anybody reads."""
        self._pending = False
        while not (self._paused or self._closing or self._lost or self._end_told):
            try:
                data = self._tls.read(PIECE)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                data = b""
            except ssl.SSLError as error:
                self._flush()
                self._break(error)
                return
            if data:
                self.deliver(data, self.transport.now())
            else:
                self._end_told = True
                self.deliver_end()
        self._flush()  # an answer of the protocol's own

    def _deliver_what_waited(self) -> None:
        """Deliver it; no stream beneath sees a receiver that raises here, and ends for it."""
        try:
            self._deliver_content()
        except Exception as error:
            self._break(error)
            raise

    def _flush(self) -> None:
        if self._outgoing.pending and not self._lost:
            self._beneath.write(self._outgoing.read())

    def cut_off(self) -> None:
        """The records ended; without a farewell that is no end of the content."""
        if self._greeted is None:
            self._deliver_content()  # which may hold it
        if not (self._end_told or self._closing):
            self._break(StreamBroken("the records ended without a close_notify"))

    def _break(self, error: BaseException) -> None:
        if self._error is None:
            self._error = error
        self._beneath.abort()

    def beneath_lost(self, error: BaseException | None) -> None:
        """The stream beneath is gone."""
        self._lost = True
        if self._error is None:
            self._error = error
        if self._greeted is not None:
            greeted, self._greeted = self._greeted, None
            greeted.wake(self._error or StreamBroken("the stream ended inside the TLS handshake"))
        else:
            self.deliver_loss(None if self._closing else self._error)

    def expired(self, now: float) -> None:
        """Pass the deadline on; before there is a receiver it is that of the handshake."""
        if self._greeted is not None:
            self._break(TimeoutError("the handshake took too long"))
        else:
            Stream.expired(self, now)

    # Our side

    @property
    def unwritten(self) -> int:
        """Bytes of records that the stream beneath holds."""
        return self._beneath.unwritten

    def write(self, data: bytes | list[bytes]) -> None:
        """Queue bytes, or a list of bytes."""
        if self._closing or self._lost or self._error is not None:
            return
        whole = memoryview(b"".join(data) if isinstance(data, list) else data)
        for begin in range(0, len(whole), PIECE):
            self._tls.write(whole[begin : begin + PIECE])
        self._flush()

    def write_eof(self) -> None:
        """Close: TLS does not stay half open here."""
        self.close()

    def limit_writes(self, high: int, low: int) -> None:
        """Set the water marks of the stream beneath."""
        self._beneath.limit_writes(high, low)

    def close(self) -> None:
        """Close after what is queued was written, and a farewell."""
        if not (self._closing or self._lost):
            self._closing = True
            with suppress(ssl.SSLError):  # it waits for the peer's farewell, or the session is broken
                self._tls.unwrap()
            self._flush()
            self._beneath.close()

    def abort(self) -> None:
        """Close now."""
        if not self._lost:
            self._closing = True
            self._beneath.abort()

    def pause_reading(self) -> None:
        """Deliver no more bytes until resumed."""
        self._paused = True
        self._beneath.pause_reading()

    def resume_reading(self) -> None:
        """Deliver bytes again, those first that were decrypted already."""
        if self._paused and not (self._closing or self._lost):
            self._paused = False
            self._pending = True
            self.transport.call_soon(self._deliver_what_waited)
            self._beneath.resume_reading()


async def layer(beneath: Stream, tls: TLS, hostname: str, opened: Callable[[Stream], object]) -> LayeredStream:
    """Speak TLS as a client over `beneath`, which loses its receiver; call `opened(stream)` when the handshake is done.

    Args:
        beneath: not at rest; aborted where this fails or is cancelled.
        tls: context of a client, and the bound of its handshake.
        hostname: the name that the certificate must carry.
        opened: sets the receiver of the stream it is given.

    Raises:
        ConnectFailed: the handshake failed or took too long, or the certificate is not to be trusted.
    """
    transport = beneath.transport
    greeted: Any = transport.waiter()
    try:
        stream = LayeredStream(beneath, tls, tls.server_hostname or hostname, greeted)
        transport.timers.arm(stream, transport.now() + tls.handshake_timeout)
        try:
            stream.greet()
            await greeted
        finally:
            transport.timers.cancel(stream)
        opened(stream)
        stream.resume_reading()
    except (OSError, StreamBroken, ValueError) as error:  # SSLError is an OSError
        beneath.abort()
        raise ConnectFailed(f"cannot speak TLS with {hostname}: {error}") from error
    except BaseException:
        beneath.abort()
        raise
    return stream
