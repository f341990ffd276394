"""What is kept of an opening handshake, as long as its WebSocket lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from highper_core.events import Request as RequestHead
from highper_core.limits import Limits

from ..request import Request

if TYPE_CHECKING:
    from highper_core.context import Locals
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
        "locals",
        "route",
        "site",
        "stream",
        "subprotocol",
        "task",
        "values",
        "_head",
    )

    def __init__(
        self,
        head: RequestHead,
        stream: Stream,
        route: Route | None = None,
        values: tuple[Any, ...] = (),
        forwarding: Forwarding | None = None,
    ) -> None:
        self._head: RequestHead | bytes = head
        self.stream: Stream | None = stream  # until the socket has it
        self.route = route
        self.values = values
        self.forwarding = forwarding
        self.subprotocol: str | None = None
        self.handshake: Handshake | None = None
        self.site: Site | None = None
        self.task: Any = None
        self.locals: Locals | None = None

    def pack(self) -> None:
        """Keep the head as one piece of octets, which is a part of what it takes to be asked."""
        head = self._head
        if not isinstance(head, bytes):
            lines = [b"%s %s" % (head.method, head.target), *[b"%s:%s" % line for line in head.headers]]
            self._head = b"\n".join(lines)

    @property
    def head(self) -> RequestHead:
        """Head of the request."""
        head = self._head
        if not isinstance(head, bytes):
            return head
        first, *lines = head.split(b"\n")
        method, _, target = first.partition(b" ")
        fields = [(name, value) for name, _, value in [line.partition(b":") for line in lines]]
        return RequestHead(method=method, target=target, headers=fields)

    def request(self, wire: Stream | None) -> Request:
        """Return the request, to be looked at. It has no content.

        Args:
            wire: the stream of an open WebSocket, which may have changed since; None before.
        """
        request = Request(_LIMITS, self.forwarding)
        request._head = self.head
        request._route = self.route
        request._values = self.values
        request._exchange = _Carrier(wire or self.stream)  # type: ignore[assignment]
        request._content = b""
        return request


class _Carrier:
    """What a request looks at of its exchange: the stream alone."""

    __slots__ = ("stream",)

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream


_LIMITS = Limits()
