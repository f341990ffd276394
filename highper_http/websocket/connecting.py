"""Opening a WebSocket as a client: once, or again whenever it has ended."""

from __future__ import annotations

import logging
import ssl as tls
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, TypeAlias

import anyio

from highper_core.engines import engine as find_engine
from highper_core.limits import Limits
from highper_core.permessage_deflate import DeflateSettings
from highper_core.state import Role
from highper_transports.errors import ConnectFailed, StreamClosed, TunnelRefused
from highper_transports.interfaces import ITransport
from highper_transports.joining import join
from highper_transports.tls import TLS, client_context
from highper_transports.tunnel import Proxy

from ..headers import Headers
from .answered import ClientWebSocket
from .backoff import Backoff
from .denied import WebSocketDenied
from .destination import parse_proxy, parse_websocket
from .masks import Masks
from .opened import Opened
from .opening import Head, Proposal, Route, agree
from .settings import SocketSettings, listed

__all__ = ["Connecting", "connect"]

logger = logging.getLogger("highper.client")

LIVED = 10.0  # seconds a WebSocket lives to count as one that worked

FieldPairs: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]


def connect(
    url: str,
    *,
    subprotocols: Iterable[str] = (),
    headers: FieldPairs = (),
    origin: str | None = None,
    deflate: DeflateSettings | None = None,
    ssl: tls.SSLContext | None = None,
    server_hostname: str | None = None,
    proxy: str | None = None,
    proxy_ssl: tls.SSLContext | None = None,
    address: Any = None,
    policy: str = "block",
    timeout: float | None = None,
    limits: Limits | None = None,
    transport: str | ITransport = "auto",
    engine: str = "auto",
    backoff: Backoff | None = None,
) -> Connecting:
    """Return what opens a WebSocket: `async with connect(url) as socket`, or `async for socket in connect(url)`.

    Args:
        url: `ws://` or `wss://`; a user and password in it are sent as Basic credentials.
        subprotocols: names in the order of preference.
        headers: further fields of the request.
        origin: value of Origin, as a browser would send it.
        deflate: compression to offer; None for none.
        ssl: context for `wss://`; by default one that trusts the system's authorities.
        server_hostname: name that the certificate must carry, where it is not the URL's.
        proxy: `http://` or `https://` URL of a proxy that is asked for a tunnel, its credentials included.
        proxy_ssl: context for a proxy with `https://`.
        address: whom to connect to instead of the URL's host and port: another (host, port), or a Unix socket's path.
        policy: what becomes of messages that a slow server has no room for; name of a `Policy`.
        timeout: seconds for all of it, names and handshakes; None for `limits.websocket_handshake_timeout`.
        limits: bounds.
        transport: name of a provider that joins the running loop, or one that is at hand.
        engine: "auto", "fast" or "portable".
        backoff: waits between two attempts of the iterator.

    Raises:
        ValueError: a URL that is none, or options that contradict each other.
        TypeError: `subprotocols` is one name.
        LocalProtocolError: a subprotocol that is malformed, or a field that is the handshake's own.
    """
    place = parse_websocket(url)
    if not place.secure and (ssl is not None or server_hostname is not None):
        raise ValueError("TLS is spoken where the URL begins with wss://")
    if proxy is not None and isinstance(address, str):
        raise ValueError("a proxy reaches no Unix socket")
    bounds = limits or Limits()
    secure = _tls(ssl, server_hostname or place.host, bounds) if place.secure else None
    route = Route(address or (place.host, place.port), secure, _proxy(proxy, proxy_ssl, bounds))
    fields = _lines(headers, origin, place.authorization)
    proposal = Proposal(place.authority, place.target, listed(subprotocols), deflate, fields)
    proposal.opening(bounds)  # what is wrong with it is known now
    patience = bounds.websocket_handshake_timeout if timeout is None else timeout
    settings = SocketSettings(policy=policy, limits=bounds, deflate=deflate)
    return Connecting(route, proposal, settings, bounds, transport, engine, patience, backoff or Backoff())


def _tls(context: tls.SSLContext | None, hostname: str | None, limits: Limits) -> TLS:
    return TLS(client_context() if context is None else context, limits.handshake_timeout, hostname)


def _proxy(url: str | None, context: tls.SSLContext | None, limits: Limits) -> Proxy | None:
    if url is None:
        if context is not None:
            raise ValueError("there is no proxy to speak TLS with")
        return None
    place = parse_proxy(url)
    if context is not None and not place.secure:
        raise ValueError("TLS is spoken with a proxy where its URL begins with https://")
    secure = _tls(context, place.host, limits) if place.secure else None
    lines = () if place.authorization is None else ((b"proxy-authorization", place.authorization),)
    return Proxy((place.host, place.port), secure, lines)


def _lines(headers: FieldPairs, origin: str | None, authorization: bytes | None) -> tuple[tuple[bytes, bytes], ...]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    lines = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    known = {name for name, _ in lines}
    if origin is not None:
        if b"origin" in known:
            raise ValueError("the origin is an option or a field, not both")
        lines.append((b"origin", origin.encode("latin-1")))
    if authorization is not None:
        if b"authorization" in known:
            raise ValueError("credentials are in the URL or in the fields, not in both")
        lines.append((b"authorization", authorization))
    return tuple(lines)


class Connecting:
    """A WebSocket to be opened; made by `connect`.

    As a context manager it opens one and closes it at the end. As an asynchronous iterator it yields one after the
    other: the next when the last has ended, or the body of the loop goes on without it, which closes it. Between two
    there is a wait, and attempts that fail are repeated; what would fail again is raised.
    """

    __slots__ = (
        "_answered",
        "_backoff",
        "_engine",
        "_entered",
        "_limits",
        "_patience",
        "_proposal",
        "_route",
        "_settings",
        "_socket",
        "_transport",
    )

    def __init__(
        self,
        route: Route,
        proposal: Proposal,
        settings: SocketSettings,
        limits: Limits,
        transport: str | ITransport,
        engine: str,
        patience: float,
        backoff: Backoff,
    ) -> None:
        self._answered: Callable[[Head], object] = _ignore
        self._route = route
        self._proposal = proposal
        self._settings = settings
        self._limits = limits
        self._transport = transport
        self._engine = engine
        self._patience = patience
        self._backoff = backoff
        self._entered = False
        self._socket: ClientWebSocket | None = None

    async def __aenter__(self) -> ClientWebSocket:
        """Open it.

        Raises:
            ConnectFailed: the server or its proxy cannot be reached, not be trusted, or gave no answer in time.
            WebSocketDenied: the server answered otherwise.
            RemoteProtocolError: its answer breaks a rule.
            RuntimeError: it is open, or being opened; `open` gives one more.
        """
        if self._entered:
            raise RuntimeError("it is open already")
        self._entered = True
        try:
            self._socket = await self.open()
        finally:
            self._entered = self._socket is not None
        return self._socket

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        socket, self._socket = self._socket, None
        assert socket is not None
        self._entered = False
        await _end(socket)

    async def __aiter__(self) -> AsyncGenerator[ClientWebSocket, None]:
        """Yield open WebSockets, one after the other.

        Raises:
            TunnelRefused, WebSocketDenied, RemoteProtocolError: as `async with`, where it would be so again.
        """
        failures = 0
        while True:
            try:
                socket = await self.open()
            except (ConnectFailed, WebSocketDenied) as error:
                if not _passes(error):
                    raise
                failures += 1
                seconds = self._backoff.wait(failures)
                logger.info("no WebSocket: %s; next attempt in %.1f s", error, seconds)
                await anyio.sleep(seconds)
                continue
            opened = anyio.current_time()
            try:
                yield socket
            finally:
                await _end(socket)
            failures = 1 if anyio.current_time() - opened >= LIVED else failures + 1
            await anyio.sleep(self._backoff.wait(failures))  # many may have lost the same server now

    async def open(self) -> ClientWebSocket:
        """Return an open WebSocket, which is the caller's to close.

        Raises:
            ConnectFailed, WebSocketDenied, RemoteProtocolError: as `async with`.
        """
        transport = join(self._transport) if isinstance(self._transport, str) else self._transport
        engine = find_engine(self._engine)
        opening = self._proposal.opening(self._limits)
        try:
            with anyio.fail_after(self._patience):
                driver = await self._route.reach(transport, engine, self._limits)
                try:
                    exchange, acceptance = await agree(driver, opening, self._answered)
                    opened = Opened(opening.request, exchange.stream)
                    socket = ClientWebSocket(self._settings, opened, Headers(acceptance.response.headers))
                    core = engine.websocket(Role.CLIENT, self._limits, acceptance.deflate, Masks())
                    socket.become(exchange, core, acceptance.subprotocol)
                    exchange.close()
                except BaseException:
                    driver.abort()
                    raise
        except TimeoutError as error:
            raise ConnectFailed(f"no WebSocket at {self._route.address} within {self._patience:g} s") from error
        except StreamClosed as error:
            raise ConnectFailed("the server vanished behind its answer") from error
        return socket


async def _end(socket: ClientWebSocket) -> None:
    """Close it; where that is not waited for, at once."""
    try:
        await socket.close()
    finally:
        socket.abort()


def _ignore(head: Head) -> None:
    """Nobody wants to know more than the socket does."""


def _passes(error: ConnectFailed | WebSocketDenied) -> bool:
    """Whether the next attempt may succeed."""
    if isinstance(error, WebSocketDenied):
        return error.is_passing
    return not isinstance(error, TunnelRefused) or error.status >= 500
