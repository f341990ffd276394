# cython: annotation_typing=False
"""What is known of a WebSocket before its first message: the request that opens it, and how that is answered."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from highper_core.context import Locals
from highper_transports.websocket_driver import WebSocketDriver

from .waits import Extras

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..headers import Headers
    from ..request import Request
    from .handshake import Handshake
    from .opened import Opened
    from .settings import SocketSettings

__all__ = ["SocketFacts"]

logger = logging.getLogger("highper.error")


class SocketFacts(WebSocketDriver):
    """A WebSocket, as far as it was opened.

    Args:
        settings: of its route, or of the client.
        opened: its opening handshake; None where nothing of it is kept.
    """

    __slots__ = ("_extras", "_opened", "_settings")

    def __init__(self, settings: SocketSettings, opened: Opened | None) -> None:
        WebSocketDriver.__init__(self)
        self._settings = settings
        self._opened: Opened | None = opened
        self._extras: Extras | None = None  # what few need

    # Opening, where it is a server's

    async def accept(self, subprotocol: str | None = None, *, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Accept the WebSocket, and wait until it is open: until HTTP middleware has seen the answer, too.

        Args:
            subprotocol: one the client has named; None for the first of the client's that the route speaks, if any.
            headers: further fields of the answer.

        Raises:
            LocalProtocolError: a subprotocol that the client did not name, or a field that is the handshake's own.
            WebSocketClosed: the client is gone, or middleware has answered otherwise.
            RuntimeError: it was answered already.
        """
        await self._unanswered().accept(subprotocol, headers)

    async def deny(self, status: int = 403, content: Any = None, *, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Answer with a status and open no WebSocket.

        Args:
            status: 200 to 999.
            content: str, bytes, dict or list, as a handler of requests returns it; None for none.
            headers: further fields of the answer.

        Raises:
            RuntimeError: it was answered already.
        """
        self._unanswered().deny(status, content, headers)

    @property
    def subprotocols(self) -> tuple[str, ...]:
        """Those the client has named, until the handshake is answered."""
        opened = self._opened
        return () if opened is None or opened.handshake is None else opened.handshake.subprotocols

    @property
    def task(self) -> Any:
        """The task of its handler, while it is open; None where there is none."""
        return None if self._opened is None else self._opened.task

    def done(self) -> None:
        """Its handler is done."""
        self.undecided(None)
        if self._opened is not None:
            self._opened.task = None

    def undecided(self, error: BaseException | None) -> bool:
        """Its handler is done, by `error` or without; return whether it had not answered the opening handshake."""
        opened = self._opened
        return opened is not None and opened.handshake is not None and opened.handshake.ended(error)

    def _unanswered(self) -> Handshake:
        opened = self._opened
        if opened is None or opened.handshake is None:
            raise RuntimeError("the opening handshake of this WebSocket has been answered")
        return opened.handshake

    # The request

    @property
    def subprotocol(self) -> str | None:
        """The one agreed on, or None."""
        if self._opened is not None:
            return self._opened.subprotocol
        return None if self._extras is None else self._extras.subprotocol

    @property
    def request(self) -> Request:
        """The request that opened it, to be looked at: head, parameters, query, fields, cookies, client.

        Raises:
            RuntimeError: it was let go of, as a listener does.
        """
        if self._opened is None:
            raise RuntimeError("the opening request was let go of; a listener that needs it says keep_request = True")
        return self._opened.request(None if self.transport is None else self.reach())

    @property
    def headers(self) -> Headers:
        """All fields of the request."""
        return self.request.headers

    def header(self, name: str, default: str | None = None) -> str | None:
        """Return the value of field `name` of the request, or `default`."""
        return self.request.header(name, default)

    @property
    def params(self) -> dict[str, Any]:
        """All path parameters."""
        return self.request.params

    def param(self, name: str) -> Any:
        """Return the path parameter called `name`.

        Raises:
            KeyError: the route has no such parameter.
        """
        return self.request.param(name)

    def query(self, name: str, default: str | None = None) -> str | None:
        """Return the first query parameter called `name`, or `default`."""
        return self.request.query(name, default)

    @property
    def path(self) -> str:
        """Path of the request, percent-decoded."""
        return self.request.path

    @property
    def locals(self) -> Locals:
        """What HTTP middleware left for this socket, and what its own code keeps."""
        extras = self._have_extras()
        if extras.locals is None:
            left = None if self._opened is None else self._opened.locals
            extras.locals = Locals() if left is None else left
        return extras.locals

    def _have_extras(self) -> Extras:
        if self._extras is None:
            self._extras = Extras()
        return self._extras

    # The end, for others

    def on_closed(self, callback: Callable[[Any], object]) -> None:
        """Call `callback(socket)` once no message can be sent any more, which has not come yet.

        Raises:
            RuntimeError: it is not open, or no longer.
        """
        if self.shut or self.core is None:
            raise RuntimeError("the WebSocket is not open")
        self._have_extras().watchers.append(callback)

    def _tell_watchers(self) -> None:
        if self._extras is not None:
            watchers, self._extras.watchers = self._extras.watchers, []
            for watcher in watchers:
                try:
                    watcher(self)
                except Exception:
                    logger.exception("what was to be told of the end of a WebSocket failed")
