"""Listening, connecting, clock and tasks over any running asyncio loop."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from typing import Any, cast

from zope.interface import implementer

from ..errors import ConnectFailed
from ..interfaces import IListener, ITransport
from ..rest import Rest
from ..sockets import Binding, address_of
from ..stream import Stream
from ..timers import TimerWheel
from ..tls import TLS
from .proxied import SecureProxies
from .stream import WireStream
from .tasks import TaskStarter
from .turn import LoopTurn
from .waiter import AsyncioWaiter

__all__ = ["AsyncioListener", "AsyncioStream", "AsyncioTransport"]

SCRATCH = 256 * 1024  # bytes of one reception
RETRY = 1.0  # seconds until a listener that could not go on accepting tries again


class AsyncioStream(WireStream, asyncio.Protocol):
    """One peer's bytes over a loop's transport, as its protocol."""

    __slots__ = ()


class ScratchStream(WireStream, asyncio.BufferedProtocol):
    """The same for asyncio's own loop, which would else make an object of 256 KiB for whatever comes, and cut it down:
    what that costs depends on how the heap lies, and may be more than all the rest of a request.
    """

    __slots__ = ()


@implementer(IListener)
class AsyncioListener:
    """One binding's accepting sockets.

    The loop accepts on duplicates of them, so that a pause, which ends these, leaves the system's own queue alone.

    Args:
        sockets: listening ones.
        serve: lets the loop accept on a socket, which it then owns.
        path: file of a Unix socket, removed at the end.
    """

    def __init__(
        self,
        sockets: list[socket.socket],
        serve: Callable[[socket.socket], Coroutine[Any, Any, asyncio.Server]],
        path: str | None,
    ) -> None:
        self.address = address_of(sockets[0])
        self._sockets = sockets
        self._serve = serve
        self._servers: list[asyncio.Server] = []
        self._paused = False
        self._resuming: asyncio.Task[None] | None = None
        self._path = path
        self._inode = os.stat(path).st_ino if path is not None else 0

    async def start(self) -> None:
        """Let the loop accept."""
        for listener in self._sockets:
            server = await self._serve(listener.dup())
            if self._paused:
                server.close()
                return
            self._servers.append(server)

    def pause(self) -> None:
        """Leave new peers in the system's queue until resumed. Idempotent."""
        self._paused = True
        self._end_servers()

    def _end_servers(self) -> None:
        servers, self._servers = self._servers, []
        for server in servers:
            _let_go(server)

    def resume(self) -> None:
        """Accept again. Idempotent."""
        if self._paused and self._sockets:
            self._paused = False
            self._resuming = asyncio.get_running_loop().create_task(self._start_again())

    async def _start_again(self) -> None:
        while not self._paused:
            try:
                await self.start()
                return
            except OSError:  # descriptors may still be scarce
                self._end_servers()
                await asyncio.sleep(RETRY)

    def close(self) -> None:
        """Stop accepting, and remove the socket's file unless somebody else has put one there since."""
        self.pause()
        sockets, self._sockets = self._sockets, []
        for listener in sockets:
            listener.close()
        path, self._path = self._path, None
        if path is not None:
            with suppress(FileNotFoundError):
                if os.stat(path).st_ino == self._inode:
                    os.unlink(path)


def _let_go(server: asyncio.Server) -> None:
    """Stop accepting; who was accepted in this pass of the loop still becomes a stream.

    asyncio makes streams of them in its next pass, and drops them where the server is closed by then.
    """
    loop = server.get_loop()
    if isinstance(loop, asyncio.SelectorEventLoop):
        for listener in server.sockets:
            loop.remove_reader(listener)
        loop.call_soon(server.close)
    else:
        server.close()


@implementer(ITransport)
class AsyncioTransport:
    """The provider over any running asyncio loop; made inside it.

    It puts a `call_soon` of its own upon that of the loop, which keeps back the first step of a task that it starts, so
    that it runs at once, and passes everything else on.
    """

    name = "asyncio"

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.timers = TimerWheel(self.loop.time, self.loop.call_at)
        self.rest = Rest()
        # the loop's own clock costs a Python call per read; beneath a loop that does not replace it is this one
        standard = getattr(type(self.loop), "time", None) is asyncio.BaseEventLoop.time
        self.now: Callable[[], float] = time.monotonic if standard else self.loop.time
        self.sends_files = isinstance(self.loop, asyncio.SelectorEventLoop)
        self.scratch: memoryview | None = None  # where all streams receive, once there are some that do
        self.tasks = TaskStarter(self.loop)
        self.turn = LoopTurn(self.loop, self.now)
        self.turn.first = self.tasks.first
        self.spawn = self.tasks.start  # type: ignore[method-assign]

    @classmethod
    def unavailable(cls) -> str | None:
        """Always available."""
        return None

    @classmethod
    def new_loop(cls) -> asyncio.AbstractEventLoop:
        """Return a loop as `run` uses it."""
        return asyncio.SelectorEventLoop()

    @classmethod
    def run(cls, main: Callable[[ITransport], Coroutine[Any, Any, Any]]) -> Any:
        """Create a loop, run `main(transport)` in it and return its result."""

        async def begin() -> Any:
            return await main(cls())

        with asyncio.Runner(loop_factory=cls.new_loop) as runner:
            return runner.run(begin())

    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        """Call back on the next pass of the loop."""
        self.loop.call_soon(callback, *args)

    def spawn(
        self, coroutine: Coroutine[Any, Any, Any], context: Context, name: str | None = None
    ) -> asyncio.Task[Any]:
        """Run `coroutine` in a new task."""
        return self.tasks.start(coroutine, context, name)

    def waiter(self) -> AsyncioWaiter:
        """Return a fresh one-shot waiter."""
        return AsyncioWaiter(self.loop)

    def watch_signal(self, number: int, callback: Callable[[], object] | None) -> None:
        """Call back when the process gets signal `number`; None to stop watching."""
        if callback is None:
            self.loop.remove_signal_handler(number)
        else:
            self.loop.add_signal_handler(number, callback)

    async def listen(self, binding: Binding, opened: Callable[[Stream], object]) -> AsyncioListener:
        """Accept streams on every socket that `binding` means.

        Raises:
            BindingInvalid: the place cannot be listened at.
        """
        sockets = binding.open()
        options: dict[str, Any] = {"backlog": binding.backlog}
        protocol: Callable[[], asyncio.BaseProtocol] = self._stream(opened, binding.tls is not None)
        if binding.tls is not None and binding.proxy_protocol is not None:
            protocol = SecureProxies(self.loop, binding, lambda opened: AsyncioStream(self, opened), opened).protocol
        elif binding.tls is not None:
            options["ssl"] = binding.tls.context
            options["ssl_handshake_timeout"] = options["ssl_shutdown_timeout"] = binding.tls.handshake_timeout
        unix = sockets[0].family == socket.AF_UNIX
        create: Any = self.loop.create_unix_server if unix else self.loop.create_server
        if unix and hasattr(asyncio.Server, "close_clients"):  # 3.13 removes the file itself
            options["cleanup_socket"] = False

        def serve(listener: socket.socket) -> Coroutine[Any, Any, asyncio.Server]:
            made: Coroutine[Any, Any, asyncio.Server] = create(protocol, sock=listener, **options)
            return made

        path = binding.path if binding.path and not binding.path.startswith("\0") else None
        listener = AsyncioListener(sockets, serve, path)
        try:
            await listener.start()
        except BaseException:
            listener.close()
            raise
        return listener

    async def connect(self, address: Any, opened: Callable[[Stream], object], *, tls: TLS | None = None) -> WireStream:
        """Open a stream to (host, port) or to a Unix path.

        Raises:
            ConnectFailed: the peer could not be reached, or its certificate not be trusted.
        """
        options: dict[str, Any] = {}
        protocol = self._stream(opened, tls is not None)
        if tls is not None:
            options = {"ssl": tls.context, "ssl_handshake_timeout": tls.handshake_timeout}
            if tls.server_hostname is not None:
                options["server_hostname"] = tls.server_hostname
        try:
            if isinstance(address, str):
                _, stream = await self.loop.create_unix_connection(protocol, address, **options)
            else:
                _, stream = await self.loop.create_connection(protocol, *address, **options)
        except (OSError, ssl.SSLError) as error:
            raise ConnectFailed(f"cannot reach {address}: {error}") from error
        return cast(WireStream, stream)

    def _stream(self, opened: Callable[[Stream], object], secured: bool) -> Callable[[], Any]:
        # a loop that reads when it is told that it can, and not before, may read for all streams into one place
        if secured or not isinstance(self.loop, asyncio.SelectorEventLoop):
            return lambda: AsyncioStream(self, opened)
        if self.scratch is None:
            self.scratch = memoryview(bytearray(SCRATCH))
        return lambda: ScratchStream(self, opened)
