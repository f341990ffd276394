"""The WebSocket that a client gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .socket import WebSocket

if TYPE_CHECKING:
    from ..headers import Headers
    from .opened import Opened
    from .settings import SocketSettings

__all__ = ["ClientWebSocket"]


class ClientWebSocket(WebSocket):
    """A WebSocket that knows how its opening was answered.

    Attributes:
        answer_headers: fields of the server's 101; those of the request are `headers`.
    """

    __slots__ = ("answer_headers",)

    def __init__(self, settings: SocketSettings, opened: Opened, answer_headers: Headers) -> None:
        WebSocket.__init__(self, settings, opened)
        self.answer_headers = answer_headers
