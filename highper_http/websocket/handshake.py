"""A server's side of an opening handshake, between the task of the request and that of the socket.

The request's task runs HTTP middleware and stops inside the route's endpoint until the handler has decided. The answer
then passes middleware outwards like any other, and leaves when the outermost has returned; with it an accepted socket
gets the stream, and the handler goes on. So no frame of middleware lives as long as the socket.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from highper_core.frames import CloseCode
from highper_core.state import Role
from highper_transports.timers import Timed

from ..errors import ServiceUnavailable, WebSocketClosed

if TYPE_CHECKING:
    from highper_core.handshake import Acceptance, Opening
    from highper_transports.exchange import Exchange
    from highper_transports.interfaces import IWaiter

    from ..response import Response
    from .settings import SocketSettings
    from .site import Site
    from .speaker import Speaker

__all__ = ["Handshake"]


class Handshake(Timed):
    """One opening handshake. An `Heir` of the response that accepts it.

    Args:
        opening: what the client asks for.
        exchange: its request's.
        settings: of the route.
        site: of the server.

    Attributes:
        socket: that is to be opened.
    """

    __slots__ = (
        "socket",
        "subprotocols",
        "_acceptance",
        "_answer",
        "_decided",
        "_error",
        "_exchange",
        "_left",
        "_opened",
        "_opening",
        "_over",
        "_settings",
        "_site",
    )

    socket: Speaker

    def __init__(self, opening: Opening, exchange: Exchange, settings: SocketSettings, site: Site) -> None:
        Timed.__init__(self)
        self.subprotocols = opening.subprotocols
        self._opening = opening
        self._exchange = exchange
        self._settings = settings
        self._site = site
        self._answer: tuple[int, Any, list[tuple[str, str]]] | None = None
        self._left = False  # the handler has accepted, and not stayed until the socket is open
        self._error: BaseException | None = None
        self._acceptance: Acceptance | None = None
        self._over = False
        self._decided: IWaiter = site.transport.waiter()
        self._opened: IWaiter = site.transport.waiter()

    # The handler's task

    async def accept(self, subprotocol: str | None, headers: Iterable[tuple[str, str]]) -> None:
        """Decide to accept, and wait until the socket is open."""
        self._undecided()
        if subprotocol is None:
            spoken = self._settings.subprotocols
            subprotocol = next((name for name in self.subprotocols if name in spoken), None)
        lines = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self._acceptance = self._opening.accept(subprotocol, lines, self._settings.deflate)
        self._decided.wake()
        await self._opened
        if self._over:
            raise WebSocketClosed(CloseCode.ABNORMAL.value)

    def deny(self, status: int, content: Any, headers: Iterable[tuple[str, str]]) -> None:
        """Decide not to."""
        self._undecided()
        self._answer = (status, content, list(headers))
        self._decided.wake()

    def ended(self, error: BaseException | None) -> bool:
        """The handler is done. Where it has decided nothing, the request fails as it did, or is denied.

        Returns:
            whether that was so.
        """
        if self._over or self._error or self._acceptance is not None or self._answer is not None:
            self._left = True
            return False
        self._error = error
        if error is None:
            self._answer = (403, None, [])
        self._decided.wake()
        return True

    def _undecided(self) -> None:
        if self._over:
            raise WebSocketClosed(CloseCode.ABNORMAL.value)
        if self._acceptance is not None or self._answer is not None:
            raise RuntimeError("the opening handshake of this WebSocket has been answered")

    # The request's task

    async def decide(self, response: Response) -> None:
        """Wait for the decision, and answer so.

        Raises:
            ServiceUnavailable: that has taken too long.
            whatever the handler raised before it had decided.
        """
        timers = self._site.transport.timers
        limits = self._settings.limits or self._site.limits
        timers.arm(self, self._site.transport.now() + limits.websocket_handshake_timeout)
        try:
            await self._decided
        finally:
            timers.cancel(self)
        if self._error is not None:
            self._over = True
            raise self._error
        if self._acceptance is not None:
            response._switch(self)
            return
        self._over = True
        assert self._answer is not None
        status, content, headers = self._answer
        response.status(status)
        for name, value in headers:
            response.header(name, value, append=True)
        if content is not None:
            response.take(content)

    def expired(self, now: float) -> None:
        """Too much time has passed."""
        if self._acceptance is None and self._answer is None and self._error is None:
            self._error = ServiceUnavailable("the opening handshake took too long")
            self._decided.wake()

    # The response's `Heir`

    def open(self, fields: Sequence[tuple[bytes, bytes]]) -> None:
        """Send the 101, and give the socket its stream."""
        acceptance = self._acceptance
        assert acceptance is not None
        exchange, socket = self._exchange, self.socket
        response = acceptance.response
        if fields:
            response = type(response)(status_code=101, headers=[*response.headers, *fields])
        exchange.send(response)
        exchange.response_started = True
        core = self._site.websocket(Role.SERVER, self._settings, acceptance.deflate)
        socket.become(exchange, core, acceptance.subprotocol)
        self._opened.wake()
        if self._site.parting:
            socket._shut(self._site.leaving)
        elif self._left:
            socket.done()

    def close(self) -> None:
        """There will be no 101: the client is gone, or somebody has answered otherwise."""
        self._over = True
        self.socket.abandon()
        self._decided.wake()
        self._opened.wake()
