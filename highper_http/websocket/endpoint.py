"""The route of a WebSocket, as the router knows it: the endpoint that a GET reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from highper_core.errors import Fault, HandshakeError
from highper_core.handshake import Opening, read_opening, refusal

from ..endpoint import Call, Handler, is_coroutine_function
from ..errors import Forbidden, HTTPError, SetupError
from ..middleware import compose
from .handshake import Handshake
from .listened import Callbacks, ListenedSocket
from .listener import WebSocketListener, inspect_listener
from .opened import Opened
from .origin import Origins
from .socket import WebSocket

if TYPE_CHECKING:
    from ..request import Request
    from ..response import Response
    from .settings import SocketSettings
    from .site import Site

__all__ = ["SocketEndpoint", "SocketHandler", "SocketLayer", "SocketMiddleware", "compose_at"]

SocketHandler: TypeAlias = "Callable[[Any], Any] | WebSocketListener"
SocketMiddleware: TypeAlias = Callable[[Any, Callable[[], Any]], Any]


class SocketEndpoint:
    """Answers the opening handshakes of one route. A handler of requests.

    Args:
        handler: coroutine function of the socket, or a listener, or the class of one.
        settings: of its sockets.
        origins: whose pages are let in.
        layers: socket middleware, outermost first.
        site: of the server; None until there is one.

    Raises:
        SetupError: what is no coroutine function.
    """

    def __init__(
        self,
        handler: SocketHandler,
        settings: SocketSettings,
        origins: Origins,
        layers: Sequence[SocketMiddleware] = (),
        site: Site | None = None,
    ) -> None:
        self.callbacks: Callbacks | None = None
        run: Any = handler
        if isinstance(handler, WebSocketListener) or _is_listener_class(handler):
            handler = inspect_listener(handler)  # one for all servers
            self.callbacks = Callbacks(handler, site)
            run = handler.on_connect
        runs: list[Callable[..., Any]] = [run, *layers]
        for function in runs:
            if not is_coroutine_function(function):
                raise SetupError(f"what runs for a WebSocket is a coroutine function, not {function!r}")
        self.handler = handler
        self.settings = settings
        self.origins = origins
        self.layers = tuple(layers)
        self.site = site
        self._run = run
        for layer in reversed(self.layers):
            self._run = partial(_through, layer, self._run)

    def bound(self, site: Site, layers: Iterable[SocketMiddleware]) -> SocketEndpoint:
        """Return the same as it is at a server: with the middleware of its routers around it."""
        return SocketEndpoint(self.handler, self.settings, self.origins, (*layers, *self.layers), site)

    async def __call__(self, request: Request, response: Response) -> None:
        """Answer a request: open a WebSocket, or say why not.

        Raises:
            HTTPError: it is no opening handshake, or one from a page that is not let in; or what the handler raised.
        """
        opening = self._read(request)
        exchange = request._exchange
        site = self.site
        assert exchange is not None
        assert request._head is not None
        assert site is not None, "a route is bound to a server"
        handshake = Handshake(opening, exchange, self.settings, site)
        opened = Opened(request._head, exchange.stream, request._route, request._values, request._forwarding)
        opened.handshake = handshake
        opened.site = site
        opened.locals = request.context._locals
        variables = copy_context()
        if self.callbacks is None:
            handshake.socket = WebSocket(self.settings, opened)
        else:
            handshake.socket = ListenedSocket(self.settings, opened, self.callbacks, variables)
        site.start(handshake.socket, self._run, variables, request.route.label)
        try:
            await handshake.decide(response)
        except BaseException:
            handshake.close()
            site.cancel(handshake.socket)
            raise

    def _read(self, request: Request) -> Opening:
        assert request._head is not None
        try:
            if request.method == "HEAD":
                raise HandshakeError(Fault.HANDSHAKE_UPGRADE_MISSING)
            opening = read_opening(request._head)
        except HandshakeError as error:
            head, _ = refusal(error.fault)
            lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers]
            fields = [line for line in lines if line[0] != "content-type"]
            raise HTTPError(head.status_code, str(error), headers=fields) from None
        if request._head.content_length:
            raise HTTPError(400, "an opening handshake has no content")
        if len(request._head.headers.all(b"origin")) > 1:
            raise HTTPError(400, "a request has one origin")
        origin = None if opening.origin is None else opening.origin.decode("latin-1")
        if not self.origins.allow(origin, request.host):
            raise Forbidden("this origin may open no WebSocket here")
        return opening


class SocketLayer:
    """Socket middleware among the layers of a router."""

    __slots__ = ("layer",)

    def __init__(self, layer: SocketMiddleware) -> None:
        self.layer = layer


def compose_at(site: Site, handler: Handler, call: Call, layers: Sequence[Any]) -> tuple[Handler, Call]:
    """Join a handler of requests, or the route of a WebSocket, and the middleware meant for it."""
    if isinstance(handler, SocketEndpoint):
        handler = handler.bound(site, [layer.layer for layer in layers if isinstance(layer, SocketLayer)])
    return compose(handler, call, [layer for layer in layers if not isinstance(layer, SocketLayer)])


def _is_listener_class(handler: Any) -> bool:
    return isinstance(handler, type) and issubclass(handler, WebSocketListener)


async def _through(layer: SocketMiddleware, inner: Callable[[Any], Any], socket: Any) -> None:
    await layer(socket, partial(inner, socket))
