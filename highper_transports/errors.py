"""What can go wrong between us and the world below HTTP.

HighperError                       highper_core
└─ TransportError
   ├─ StreamClosed                 we ended it
   ├─ StreamBroken                 the world did: reset, write error, end of input inside a message
   ├─ StreamBusy                   two users of what has room for one
   ├─ ConnectFailed                the peer could not be reached
   │  └─ TunnelRefused             the proxy before it said no
   ├─ BindingInvalid               an address that cannot be listened on
   └─ TransportUnavailable         the provider that was demanded cannot run here
"""

from __future__ import annotations

from highper_core.errors import HighperError

__all__ = [
    "BindingInvalid",
    "ConnectFailed",
    "StreamBroken",
    "StreamBusy",
    "StreamClosed",
    "TransportError",
    "TransportUnavailable",
    "TunnelRefused",
]


class TransportError(HighperError):
    """Root of the family."""


class StreamClosed(TransportError):
    """Our side has ended the stream or the exchange."""


class StreamBroken(TransportError):
    """The peer or the network ended the stream while something was still owed."""


class StreamBusy(TransportError):
    """Two users of what has room for one: two tasks receiving, a second exchange on a connection in use."""


class ConnectFailed(TransportError):
    """The peer could not be reached; the cause is attached."""


class TunnelRefused(ConnectFailed):
    """The proxy refused a tunnel to the peer.

    Args:
        text: for people.
        status: of its answer.
    """

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class BindingInvalid(TransportError):
    """An address that cannot be read, or cannot be listened on."""


class TransportUnavailable(TransportError):
    """The provider that was demanded cannot run here; the text says why."""
