"""WebSockets, of a server's routes and of a client."""

from .answered import ClientWebSocket
from .backoff import Backoff
from .connecting import Connecting, connect
from .denied import WebSocketDenied
from .listened import ListenedSocket
from .listener import WebSocketListener
from .settings import Policy, SocketSettings
from .socket import WebSocket
from .speaker import SocketState

__all__ = [
    "Backoff",
    "ClientWebSocket",
    "Connecting",
    "ListenedSocket",
    "Policy",
    "SocketSettings",
    "SocketState",
    "WebSocket",
    "WebSocketDenied",
    "WebSocketListener",
    "connect",
]
