"""WebSockets, of a server's routes and of a client."""

from .settings import Policy, SocketSettings
from .socket import WebSocket
from .speaker import SocketState

__all__ = ["Policy", "SocketSettings", "SocketState", "WebSocket"]
