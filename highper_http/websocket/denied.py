"""A server's answer that opens no WebSocket, as its client sees it."""

from __future__ import annotations

from highper_core.errors import Fault, HandshakeError
from highper_core.events import Response

from ..headers import Headers

__all__ = ["WebSocketDenied"]


class WebSocketDenied(HandshakeError):
    """The server answered the opening handshake, and not by opening a WebSocket.

    Attributes:
        status: of the answer: 301 and its like are not followed.
        headers: its fields.
        content: its body, or the beginning of it where that is long.
    """

    def __init__(self, response: Response, content: bytes) -> None:
        super().__init__(Fault.HANDSHAKE_DENIED, f"answered {response.status_code}")
        self.status = response.status_code
        self.headers = Headers(response.headers)
        self.content = content

    @property
    def is_passing(self) -> bool:
        """Whether the same request may be answered otherwise in a while (RFC 9110 section 15)."""
        return self.status in (408, 425, 429) or self.status >= 500
