"""A client's way from a URL to an open WebSocket's stream: reach the server, then agree.

Route.reach --name, socket, proxy, TLS--> stream --opening handshake--> exchange whose stream may be taken over
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias

from highper_core.engines import Engine
from highper_core.errors import Fault, HandshakeError, RemoteProtocolError
from highper_core.events import Data, InformationalResponse, Response
from highper_core.handshake import Acceptance, ClientOpening
from highper_core.limits import Limits
from highper_core.permessage_deflate import DeflateSettings
from highper_core.state import Role
from highper_transports.driver import Driver
from highper_transports.errors import ConnectFailed, StreamBroken, StreamClosed
from highper_transports.exchange import Exchange
from highper_transports.interfaces import ITransport
from highper_transports.stream import Stream
from highper_transports.tls import TLS
from highper_transports.tunnel import Proxy, connect_through

from .denied import WebSocketDenied

__all__ = ["Head", "Proposal", "Route", "agree"]

DENIAL = 64 * 1024  # bytes kept of an answer that opens no WebSocket
_NO_ANSWER = (Fault.HEAD_INCOMPLETE, Fault.HEAD_TIMEOUT)

Head: TypeAlias = InformationalResponse | Response


class Route(NamedTuple):
    """How a server is reached.

    Args:
        address: (host, port), or a path.
        tls: how to speak TLS with it; None for not.
        proxy: who is asked for a tunnel to it; None for nobody.
    """

    address: Any
    tls: TLS | None
    proxy: Proxy | None

    async def reach(self, transport: ITransport, engine: Engine, limits: Limits) -> Driver:
        """Return the driver of a fresh HTTP connection.

        Raises:
            ConnectFailed: the server, or the proxy before it, cannot be reached, or not be trusted.
        """
        made: list[Driver] = []

        def opened(stream: Stream) -> None:
            stream.limit_writes(limits.write_high_water, limits.write_low_water)
            made.append(Driver(stream, engine.http(Role.CLIENT, limits)))

        if self.proxy is None:
            await transport.connect(self.address, opened, tls=self.tls)
        else:
            await connect_through(
                transport,
                self.proxy,
                self.address,
                opened,
                lambda: engine.http(Role.CLIENT, limits),
                tls=self.tls,
            )
        return made[0]


class Proposal(NamedTuple):
    """What a client asks of a server, apart from the key, which is new each time."""

    host: bytes
    target: bytes
    subprotocols: tuple[str, ...]
    deflate: DeflateSettings | None
    headers: tuple[tuple[bytes, bytes], ...]

    def opening(self, limits: Limits) -> ClientOpening:
        """Return an opening handshake.

        Raises:
            LocalProtocolError: a subprotocol is malformed, or a field the handshake's own.
        """
        return ClientOpening(
            self.host,
            self.target,
            nonce=os.urandom(16),
            subprotocols=self.subprotocols,
            deflate=self.deflate,
            headers=self.headers,
            limits=limits,
        )


async def agree(
    driver: Driver, opening: ClientOpening, answered: Callable[[Head], object]
) -> tuple[Exchange, Acceptance]:
    """Do the opening handshake; return the exchange, whose stream may be taken over, and what was agreed on.

    Args:
        driver: of a fresh connection.
        opening: ours.
        answered: called with each head of a response that comes.

    Raises:
        WebSocketDenied: the server answered otherwise.
        RemoteProtocolError: its answer breaks a rule.
        ConnectFailed: it ended the connection without an answer.
    """
    try:
        exchange = driver.open(opening.request, b"")
        while True:
            head = await exchange.receive()
            assert isinstance(head, InformationalResponse | Response)
            answered(head)
            try:
                acceptance = opening.judge(head)
            except HandshakeError as error:
                if error.fault is not Fault.HANDSHAKE_DENIED or not isinstance(head, Response):
                    raise
                raise WebSocketDenied(head, await _beginning(exchange)) from None
            if acceptance is not None:
                return exchange, acceptance
    except (RemoteProtocolError, StreamBroken, StreamClosed) as error:
        if isinstance(error, RemoteProtocolError) and error.fault not in _NO_ANSWER:
            raise
        raise ConnectFailed(f"the server gave no answer: {error}") from error


async def _beginning(exchange: Exchange) -> bytes:
    """Return the content of an answer, or the beginning of it: as much as came, where it broke off."""
    content = b""
    with suppress(RemoteProtocolError, StreamBroken):
        while len(content) < DENIAL and isinstance(event := await exchange.receive(), Data):
            content += event.data
    return content[:DENIAL]
