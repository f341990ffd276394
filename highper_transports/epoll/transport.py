"""Listening, connecting, clock and tasks over sockets of our own, in a loop of our own or in any that runs."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from zope.interface import implementer

from ..asyncio.tasks import TaskStarter
from ..asyncio.transport import AsyncioTransport
from ..errors import ConnectFailed
from ..interfaces import IListener, IStreamOwner
from ..rest import Rest
from ..sockets import Binding, address_of
from ..stream import Receiver, Stream
from ..timers import TimerWheel
from ..tls import TLS
from .connecting import reach

try:
    from ._listener import Listener
    from ._poller import Poller
    from ._secure import greet
    from ._stream import EpollStream, absent, adopt
    from .loop import EpollLoop
except ImportError as error:
    _missing: str | None = f"the compiled part of the epoll transport is not built ({error})"
else:
    _missing = None

__all__ = ["EpollListener", "EpollRest", "EpollTransport"]


class EpollRest(Rest):
    """Streams at rest: those that are records, and the few that are objects."""

    __slots__ = ("_poller", "_transport")

    def __init__(self, poller: Poller, transport: EpollTransport) -> None:
        super().__init__()
        self._poller = poller
        self._transport = transport

    def hasten(self, owner: IStreamOwner, deadline: float) -> None:
        """Bring later deadlines of the streams of `owner` forward."""
        super().hasten(owner, deadline)
        self._poller.hasten(owner, deadline)

    def close(self, owner: IStreamOwner) -> None:
        """Close the streams of `owner`."""
        super().close(owner)
        self._poller.dismiss(owner, False)

    def abort(self, owner: IStreamOwner) -> None:
        """End the streams of `owner` now."""
        super().abort(owner)
        self._poller.dismiss(owner, True)

    def rouse(self, owner: IStreamOwner) -> None:
        """Give every receiver of `owner` whose stream dozes a stream."""
        self._poller.rouse(owner)

    def recall(self, place: int, receiver: Receiver) -> Stream:
        """Give one receiver a stream: one that is gone, where every socket was closed meanwhile."""
        try:
            return self._poller.recall(place, receiver)
        except LookupError:
            return absent(self._transport)

    def write(self, place: int, receiver: Receiver, data: bytes) -> bool:
        """Send bytes on a stream that dozes; False where it must be recalled."""
        return self._poller.write(place, receiver, data)


@implementer(IListener)
class EpollListener:
    """One binding's accepting sockets.

    Args:
        binding: where.
        accept: starts accepting on a socket, which it then owns.
    """

    def __init__(self, binding: Binding, accept: Callable[[socket.socket], Listener]) -> None:
        sockets = binding.open()
        self.address = address_of(sockets[0])
        self._path = binding.path if binding.path and not binding.path.startswith("\0") else None
        self._inode = os.stat(self._path).st_ino if self._path is not None else 0
        self._listeners: list[Listener] = []
        try:
            for item in sockets:
                self._listeners.append(accept(item))
        except BaseException:
            self.close()
            for item in sockets:
                item.close()
            raise

    def pause(self) -> None:
        """Leave new peers in the system's queue until resumed. Idempotent."""
        for listener in self._listeners:
            listener.pause()

    def resume(self) -> None:
        """Accept again. Idempotent."""
        for listener in self._listeners:
            listener.resume()

    def close(self) -> None:
        """Stop accepting, and remove the socket's file unless somebody else has put one there since."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.close()
        path, self._path = self._path, None
        if path is not None:
            with suppress(FileNotFoundError):
                if os.stat(path).st_ino == self._inode:
                    os.unlink(path)


class EpollTransport(AsyncioTransport):
    """The provider that owns its sockets; made inside a running loop, which `run` makes its own.

    Tasks, waiters and signals are the loop's; streams secured by TLS are asyncio's.

    Args:
        kernel: another one, for tests, in a loop that is not ours.
    """

    name = "epoll"

    def __init__(self, kernel: Any = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.poller = self.loop.poller if isinstance(self.loop, EpollLoop) else Poller(self.loop, True, kernel)
        self.now = time.monotonic
        self.timers = TimerWheel(self.now, self._call_at)
        self.rest = EpollRest(self.poller, self)
        self.sends_files = True
        self.tasks = TaskStarter(self.loop)
        self.poller.turn.first = self.tasks.first
        self.spawn = self.tasks.start  # type: ignore[method-assign]
        self.call_soon = self.poller.soon  # type: ignore[method-assign]

    def _call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call back at a time of our clock, which need not be the loop's."""
        return self.loop.call_later(max(0.0, when - time.monotonic()), callback)

    @classmethod
    def unavailable(cls) -> str | None:
        """Return why this provider cannot run here, or None."""
        if sys.platform != "linux":
            return "epoll is Linux's own"
        return _missing

    @classmethod
    def new_loop(cls) -> asyncio.AbstractEventLoop:
        """Return a loop as `run` uses it."""
        return EpollLoop()

    async def listen(self, binding: Binding, opened: Callable[[Stream], object]) -> EpollListener:  # type: ignore[override]
        """Accept streams on every socket that `binding` means.

        Raises:
            BindingInvalid: the place cannot be listened at.
        """

        def accept(listening: socket.socket) -> Listener:
            if listening.family != socket.AF_UNIX:  # what is accepted inherits it
                listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            address = address_of(listening)
            fixed = not (isinstance(address, tuple) and address[0] in ("0.0.0.0", "::"))
            local = address if fixed else None
            return Listener(self.poller, listening, self, opened, local, binding.tls, binding.proxy_protocol)

        return EpollListener(binding, accept)

    async def connect(self, address: Any, opened: Callable[[Stream], object], *, tls: TLS | None = None) -> Stream:  # type: ignore[override]
        """Open a stream to (host, port) or to a Unix path.

        Raises:
            ConnectFailed: the peer could not be reached, or its certificate not be trusted.
        """
        try:
            connected = await reach(self.loop, address)
            stream = adopt(self.poller, self, connected.detach())
            if tls is not None:
                name = tls.server_hostname or (None if isinstance(address, str) else address[0])
                return await self._secure(stream, opened, tls, name)
        except OSError as error:
            raise ConnectFailed(f"cannot reach {address}: {error}") from error
        try:
            opened(stream)
        except BaseException:
            stream.abort()
            raise
        return stream

    async def _secure(
        self, plain: EpollStream, opened: Callable[[Stream], object], tls: TLS, hostname: str | None
    ) -> Stream:
        """Return the secured stream of one that was just connected."""
        done: asyncio.Future[Stream] = self.loop.create_future()

        def announce(stream: Stream) -> None:
            if done.done():  # nobody waits any more
                stream.abort()
                return
            try:
                opened(stream)
            except Exception as error:
                stream.abort()
                done.set_exception(error)
            else:
                done.set_result(stream)

        def fail(error: BaseException) -> None:
            if not done.done():
                done.set_exception(error)

        try:
            stream = greet(plain, tls, hostname, announce, fail)
        except ValueError as error:
            plain.abort()
            raise ConnectFailed(f"cannot speak TLS: {error}") from error
        try:
            return await done
        except BaseException:
            stream.abort()
            raise
