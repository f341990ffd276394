"""What is kept of an opening handshake, as long as its WebSocket lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from highper_core.limits import Limits

from ..request import Request

if TYPE_CHECKING:
    from highper_core.context import Locals
    from highper_core.events import Request as RequestHead
    from highper_transports.stream import Stream

    from ..forwarded import Forwarding
    from ..routing import Route
    from .handshake import Handshake
    from .site import Site

__all__ = ["Opened"]


class Opened:
    """The request that opened a WebSocket, and what was agreed on.

    Args:
        head: of that request.
        stream: it came on, or went out on.
        route: it matched; None for a client's.
        values: of the route's parameters.
        forwarding: proxies that are believed; None for nobody.

    Attributes:
        subprotocol: agreed on, or None.
        site: of the server; None at a client.
        task: that runs the handler while the socket is open, or None.
        locals: what HTTP middleware left, or None.
        handshake: until it is answered; None at a client.
    """

    __slots__ = (
        "forwarding",
        "handshake",
        "head",
        "locals",
        "route",
        "site",
        "stream",
        "subprotocol",
        "task",
        "values",
    )

    def __init__(
        self,
        head: RequestHead,
        stream: Stream,
        route: Route | None = None,
        values: tuple[Any, ...] = (),
        forwarding: Forwarding | None = None,
    ) -> None:
        self.head = head
        self.stream = stream
        self.route = route
        self.values = values
        self.forwarding = forwarding
        self.subprotocol: str | None = None
        self.handshake: Handshake | None = None
        self.site: Site | None = None
        self.task: Any = None
        self.locals: Locals | None = None

    def request(self) -> Request:
        """Return the request, to be looked at. It has no content."""
        request = Request(_LIMITS, self.forwarding)
        request._head = self.head
        request._route = self.route
        request._values = self.values
        request._exchange = self  # type: ignore[assignment]  # of which a request looks at the stream alone
        request._content = b""
        return request


_LIMITS = Limits()
