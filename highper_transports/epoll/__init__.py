"""The provider that owns its sockets: one epoll set, one C record per open descriptor."""

from .transport import EpollTransport

__all__ = ["EpollTransport"]
