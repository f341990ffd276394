"""A PROXY header in front of TLS, where the loop does the TLS.

A loop that secures a stream reads its first bytes as a handshake. So it is given the connection only once the header
is gone: the loop accepts in plain, we take the socket away from it before it reads, look at what has come, consume the
header and not a byte more, and hand the socket back as one that was just accepted.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from highper_core.proxy_protocol import LONGEST_HEADER, ProxyHeader, ProxyHeaderInvalid, ProxyHeaderReader

from ..proxied import refuse
from ..sockets import Binding, peer_name

if TYPE_CHECKING:
    from ..stream import Stream

__all__ = ["SecureProxies"]


class SecureProxies:
    """Takes the connections of one binding, and makes streams of those that begin with a trusted proxy's header.

    Args:
        loop: which secures them.
        binding: has `tls` and `proxy_protocol`.
        make: makes a stream's protocol that calls back once the stream is open.
        opened: called with each stream, which presents its header.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        binding: Binding,
        make: Callable[[Callable[[Stream], object]], asyncio.Protocol],
        opened: Callable[[Stream], object],
    ) -> None:
        assert binding.tls is not None
        assert binding.proxy_protocol is not None
        self._loop = loop
        self._tls = binding.tls
        self._trusted = binding.proxy_protocol
        self._make = make
        self._opened = opened
        self._tasks: set[asyncio.Task[None]] = set()

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol that the loop accepts with."""
        return _Intercept(self._take)

    def _take(self, accepted: socket.socket, peer: Any) -> None:
        task = self._loop.create_task(self._admit(accepted, peer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _admit(self, accepted: socket.socket, peer: Any) -> None:
        timeout = self._tls.handshake_timeout
        try:
            if not self._trusted.admits(peer, peer_name(accepted.getsockname())):
                refuse(peer)
                return
            async with asyncio.timeout(timeout):
                header = await _read_header(self._loop, accepted)

            def opened(stream: Stream) -> None:
                stream.present(header)
                self._opened(stream)

            await self._loop.connect_accepted_socket(
                lambda: self._make(opened),
                accepted.dup(),  # which is the loop's from here on, whatever happens
                ssl=self._tls.context,
                ssl_handshake_timeout=timeout,
                ssl_shutdown_timeout=timeout,
            )
        except (ProxyHeaderInvalid, OSError) as error:  # of which a time that is over and a failed handshake are two
            refuse(peer, error)
        finally:
            accepted.close()


class _Intercept(asyncio.Protocol):
    """Takes the socket of a connection that was just accepted, and lets the loop forget the connection."""

    def __init__(self, take: Callable[[socket.socket, Any], None]) -> None:
        self._take = take

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep a duplicate; the loop closes its own without a word to the peer."""
        peer = peer_name(transport.get_extra_info("peername"))
        with suppress(OSError):  # no descriptor is left: this connection is lost, as one that could not be accepted
            accepted = socket.socket(fileno=socket.dup(transport.get_extra_info("socket").fileno()))
            accepted.setblocking(False)
            self._take(accepted, peer)
        transport.abort()  # type: ignore[attr-defined]


async def _read_header(loop: asyncio.AbstractEventLoop, accepted: socket.socket) -> ProxyHeader:
    """Consume a header and nothing behind it.

    Raises:
        ProxyHeaderInvalid: what came is none.
        OSError: the connection broke or ended first.
    """
    reader = ProxyHeaderReader()
    while True:
        try:
            data = accepted.recv(LONGEST_HEADER, socket.MSG_PEEK)
        except BlockingIOError:
            await _readable(loop, accepted)
            continue
        if not data:
            raise ConnectionResetError("the connection ended before its PROXY header")
        found = reader.receive_data(data)
        left = len(data) - (len(found[1]) if found is not None else 0)
        while left:  # all of it is there
            left -= len(accepted.recv(left))
        if found is not None:
            return found[0]


async def _readable(loop: asyncio.AbstractEventLoop, accepted: socket.socket) -> None:
    """Wait until there is something to receive."""
    future: asyncio.Future[None] = loop.create_future()
    loop.add_reader(accepted, _wake, future)
    try:
        await future
    finally:
        loop.remove_reader(accepted)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
