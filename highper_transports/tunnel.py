"""A stream to a peer behind a proxy, by HTTP CONNECT (RFC 9110 section 9.3.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from highper_core.connection import Connection
from highper_core.errors import RemoteProtocolError
from highper_core.events import InformationalResponse, Request, Response

from .driver import Driver
from .errors import ConnectFailed, StreamBroken, StreamClosed, TunnelRefused
from .exchange import Exchange
from .layered import layer
from .stream import Receiver, Stream
from .tls import TLS

if TYPE_CHECKING:
    from .interfaces import ITransport

__all__ = ["Proxy", "connect_through"]


class Proxy(NamedTuple):
    """Who is asked for a tunnel.

    Args:
        address: (host, port), or a path.
        tls: how to speak TLS with the proxy itself; None for not.
        headers: field lines of the CONNECT request besides Host, as Proxy-Authorization.
    """

    address: Any
    tls: TLS | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()


async def connect_through(
    transport: ITransport,
    proxy: Proxy,
    address: tuple[str, int],
    opened: Callable[[Stream], object],
    connection: Callable[[], Connection],
    *,
    tls: TLS | None = None,
) -> Stream:
    """Open a stream to `address` through a tunnel; call `opened(stream)` before any byte is delivered.

    Args:
        transport: reaches the proxy.
        proxy: who is asked.
        address: host and port of the peer; the name is looked up by the proxy.
        opened: sets the receiver.
        connection: makes the CLIENT connection that speaks with the proxy.
        tls: speak TLS with the peer, inside the tunnel.

    Raises:
        TunnelRefused: the proxy says no.
        ConnectFailed: proxy or peer could not be reached, or not be trusted.
    """
    host, port = address
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    made: list[Driver] = []
    stream = await transport.connect(
        proxy.address, lambda stream: made.append(Driver(stream, connection())), tls=proxy.tls
    )
    try:
        exchange = await _ask(made[0], proxy, authority)
        if tls is None:
            opened(stream)
            assert stream.receiver is not None
            exchange.take_over(stream.receiver)
        else:
            silence = _Silence()
            exchange.take_over(silence)
            if silence.is_broken:
                raise ConnectFailed(f"the proxy at {proxy.address} does not leave the tunnel to us")
            stream = await layer(stream, tls, host, opened)
        exchange.close()
    except BaseException as error:
        stream.abort()
        if isinstance(error, RemoteProtocolError | StreamBroken | StreamClosed):
            raise ConnectFailed(f"the proxy at {proxy.address} opened no tunnel: {error}") from error
        raise
    return stream


async def _ask(driver: Driver, proxy: Proxy, authority: str) -> Exchange:
    """Return the exchange of an accepted CONNECT."""
    host = (b"host", authority.encode())
    exchange = driver.open(Request(method=b"CONNECT", target=host[1], headers=[host, *proxy.headers]), b"")
    answer = await exchange.receive()
    while isinstance(answer, InformationalResponse):
        answer = await exchange.receive()
    assert isinstance(answer, Response)
    if not 200 <= answer.status_code < 300:
        raise TunnelRefused(f"the proxy at {proxy.address} answered {answer.status_code}", answer.status_code)
    return exchange


class _Silence(Receiver):
    """Behind the proxy's answer nobody speaks before we do."""

    __slots__ = ("is_broken",)

    def __init__(self) -> None:
        self.is_broken = False

    def received(self, data: bytes, now: float) -> None:
        """Note bytes nobody asked for."""
        self.is_broken = True

    def ended(self) -> None:
        """Note an end that was told too early."""
        self.is_broken = True
