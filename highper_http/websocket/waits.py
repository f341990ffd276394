# cython: annotation_typing=False
"""What is awaited at a WebSocket, besides the next message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from highper_core.context import Locals
    from highper_transports.interfaces import ITransport, IWaiter

    from .backlog import Waiting
    from .speaker import Speaker

__all__ = ["DONE", "Ending", "Extras", "breathe", "framed"]


class _Done:
    """A coroutine that has nothing to wait for. There is one, for it has no state."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        return _NOTHING  # type: ignore[no-any-return]

    def send(self, value: object) -> None:
        """End."""
        raise StopIteration

    def throw(self, kind: Any, value: Any = None, trace: Any = None) -> None:
        """Raise what is given."""
        raise kind

    def close(self) -> None:
        """End."""


_NOTHING: Any = iter(())
DONE: Awaitable[None] = _Done()


async def breathe(transport: ITransport) -> None:
    """Let others have the loop."""
    waiter = transport.waiter()
    transport.call_soon(waiter.wake)
    await waiter


async def framed(socket: Speaker, message: Waiting) -> None:
    """Wait until a message was framed.

    Raises:
        WebSocketClosed: it will not be.
    """
    assert message.waiter is not None
    try:
        await message.waiter
    except BaseException:
        if socket._backlog is not None:
            socket._backlog.forsake(message)
        raise
    if not message.framed:
        socket._refuse()


class Ending:
    """The wait for the end of a WebSocket: a coroutine that nobody has to await."""

    __slots__ = ("_socket", "_wait")

    def __init__(self, socket: Speaker) -> None:
        self._socket = socket
        self._wait: Any = None

    def __await__(self) -> Generator[Any, Any, None]:
        return self._begun().__await__()  # type: ignore[no-any-return]

    def send(self, value: object) -> Any:
        """Wait on."""
        return self._begun().send(value)

    def throw(self, kind: Any, value: Any = None, trace: Any = None) -> Any:
        """Raise where it waits."""
        return self._begun().throw(kind if value is None else value)

    def close(self) -> None:
        """Give the wait up."""
        if self._wait is not None:
            self._wait.close()

    def _begun(self) -> Any:
        if self._wait is None:
            self._wait = self._socket.wait_closed()
        return self._wait


class Extras:
    """What few sockets need: Pings that are awaited, who waits for the end, and locals.

    Attributes:
        pings: who waits for a Pong, by what the Ping held, in order.
        closers: who waits for the end.
        subprotocol: agreed on, where nothing else is kept of the handshake.
        watchers: called once no message can be sent any more.
        locals: see `Speaker.locals`.
    """

    __slots__ = ("closers", "locals", "pings", "subprotocol", "watchers", "_number")

    def __init__(self) -> None:
        self.closers: list[IWaiter] = []
        self.locals: Locals | None = None
        self.pings: dict[bytes, IWaiter] = {}
        self.subprotocol: str | None = None
        self.watchers: list[Callable[[Any], object]] = []
        self._number = 0

    def expect(self, transport: ITransport) -> tuple[bytes, IWaiter]:
        """Return what a Ping shall hold, and a waiter for its Pong. The core's own Pings hold four bytes."""
        self._number += 1
        token = self._number.to_bytes(8, "big")
        waiter = self.pings[token] = transport.waiter()
        return token, waiter

    def answered(self, token: bytes) -> None:
        """End the wait for this Pong, and those for earlier ones (RFC 6455 section 5.5.3)."""
        if token in self.pings:
            for known, waiter in list(self.pings.items()):
                del self.pings[known]
                waiter.wake()
                if known == token:
                    return

    def answer_all(self) -> None:
        """No Pong will come any more."""
        for waiter in self.pings.values():
            waiter.wake()

    def dismiss(self) -> None:
        """The end has come."""
        for waiter in self.closers:
            waiter.wake()
        self.closers.clear()
