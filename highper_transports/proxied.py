"""Streams that proxies hand on: whose header is read before anything else, and who is let in at all.

    stream -> HeaderReader, until the header is whole -> driver

Only a trusted proxy may say on whose behalf it comes, and on such a binding it has to: whoever could leave the header
out could write his own as the first line of a request. So who is not trusted is turned away, and so is who sends none.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from highper_core.proxy_protocol import ProxyHeaderInvalid, ProxyHeaderReader

from .stream import Receiver, Stream

if TYPE_CHECKING:
    from .service import Service
    from .trust import TrustedPeers

__all__ = ["HeaderReader", "ProxyGate"]

logger = logging.getLogger("highper.proxy")


class ProxyGate:
    """Stands before a service on a binding whose peers are proxies.

    Hand `opened` to `ITransport.listen` in place of the service's.

    Args:
        service: gets the streams.
        trusted: the proxies.
    """

    __slots__ = ("_service", "_trusted")

    def __init__(self, service: Service, trusted: TrustedPeers) -> None:
        self._service = service
        self._trusted = trusted

    def opened(self, stream: Stream) -> None:
        """Let a stream in that was just accepted, or turn it away."""
        if stream.presented is not None:  # before the handshake
            self._service.opened(stream)
        elif self._trusted.believes(stream):
            self._service.opened(stream, HeaderReader(stream, self._service))
        else:
            refuse(stream.peer)
            stream.abort()


class HeaderReader(Receiver):
    """Reads the PROXY header of a stream and lets the stream present whom it names."""

    __slots__ = ("_reader", "_service", "_stream")

    def __init__(self, stream: Stream, service: Service) -> None:
        self._stream = stream
        self._service = service
        self._reader = ProxyHeaderReader()

    def received(self, data: bytes, now: float) -> None:
        """Take a piece of the header, and give the stream back with what came behind it."""
        try:
            found = self._reader.receive_data(data)
        except ProxyHeaderInvalid as error:
            refuse(self._stream.peer, error)
            self._stream.abort()
            return
        if found is not None:
            header, rest = found
            self._stream.present(header)
            self._service.begin(self._stream, rest, now)

    def ended(self) -> None:
        """Half a header is none."""
        self._stream.close()

    def expired(self, now: float) -> None:
        """The header did not come in time."""
        self._stream.close()

    def shutdown(self) -> None:
        """Nobody is served yet."""
        self._stream.close()


def refuse(peer: object, error: Exception | None = None) -> None:
    """Leave a line for who wonders; not one that everybody sees, for strangers could fill a log with it."""
    logger.debug("%s was turned away: %s", peer, error or "it is no trusted proxy")
