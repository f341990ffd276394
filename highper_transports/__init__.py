"""What carries the core's bytes: streams, a clock and tasks, from one of several providers.

A provider is chosen by name (`transport("auto")`), listens at a `Binding`, and hands each accepted stream to a
`Service`, whose drivers bring connection, stream and application together.
"""

from .driver import Driver
from .errors import (
    BindingInvalid,
    ConnectFailed,
    StreamBroken,
    StreamBusy,
    StreamClosed,
    TransportError,
    TransportUnavailable,
)
from .exchange import Exchange
from .interfaces import IApplication, IListener, IReceiver, IRest, IStream, IStreamOwner, ITransport, IWaiter
from .registry import available, transport
from .service import Service
from .sockets import Binding, parse_binding
from .stream import Receiver, Stream
from .timers import Timed, TimerWheel
from .tls import TLS, client_context, server_context
from .trust import TrustedPeers

__all__ = [
    "Binding",
    "BindingInvalid",
    "ConnectFailed",
    "Driver",
    "Exchange",
    "IApplication",
    "IListener",
    "IReceiver",
    "IRest",
    "IStream",
    "IStreamOwner",
    "ITransport",
    "IWaiter",
    "Receiver",
    "Service",
    "Stream",
    "StreamBroken",
    "StreamBusy",
    "StreamClosed",
    "TLS",
    "Timed",
    "TimerWheel",
    "TransportError",
    "TransportUnavailable",
    "TrustedPeers",
    "available",
    "client_context",
    "parse_binding",
    "server_context",
    "transport",
]
