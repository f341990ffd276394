"""Bugs to put in, so that the simulation can show that it finds them.

Each is a mistake that such servers have had, put in at a seam that is plain Python in every build: the memory stream,
the pool of contexts, the transport's waiters, the engine's connections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from typing import Any

import highper_http.server as server_module
from highper_core.context import RequestContext
from highper_core.engines import Engine
from highper_core.pool import ContextPool
from highper_transports.memory import MemoryStream, MemoryTransport

__all__ = ["PLANTS"]

RARELY = 97  # occasions of which one goes wrong


@contextmanager
def _replaced(owner: Any, **methods: Any) -> Iterator[None]:
    kept = {name: getattr(owner, name) for name in methods}
    for name, method in methods.items():
        setattr(owner, name, method)
    try:
        yield
    finally:
        for name, method in kept.items():
            setattr(owner, name, method)


def _is_answer(data: object) -> bool:
    return isinstance(data, bytes) and data.startswith(b"HTTP/1.1 200") and data.count(b"HTTP/1.1 ") == 1


def swapped_answers() -> AbstractContextManager[None]:
    """Two streams that write in one pass of the loop get each other's bytes now and then: a shared scratch buffer."""
    write = MemoryStream.write
    turns = count(1)
    waiting: list[tuple[MemoryStream, bytes]] = []

    def release() -> None:
        if waiting:
            stream, data = waiting.pop()
            write(stream, data)

    def swapping(self: MemoryStream, data: bytes | list[bytes]) -> None:
        if not isinstance(data, bytes) or not _is_answer(data):
            if waiting and waiting[0][0] is self:
                release()
            write(self, data)
        elif waiting and waiting[0][0] is not self:
            other, held = waiting.pop()
            write(self, held)
            write(other, data)
        elif not waiting and next(turns) % RARELY == 0:
            waiting.append((self, data))
            self.transport.loop.call_later(0.005, release)  # type: ignore[attr-defined]
        else:
            release()
            write(self, data)

    return _replaced(MemoryStream, write=swapping)


def reused_held_context() -> AbstractContextManager[None]:
    """A pool that hands out what somebody still holds: no look at reference counts."""

    class Careless(ContextPool):
        def __init__(self, *parts: Any) -> None:
            super().__init__(*parts)
            self.mine: list[RequestContext] = []

        def acquire(self) -> RequestContext:
            if not self.mine:
                return super().acquire()
            context = self.mine.pop()
            context.id = id(context)
            return context

        def release(self, context: RequestContext) -> None:
            context.detach()
            context.reset()
            self.mine.append(context)

    return _replaced(server_module, ContextPool=Careless)


def lost_wake_up() -> AbstractContextManager[None]:
    """A waiter that misses a wake-up now and then."""
    waiter = MemoryTransport.waiter
    turns = count(1)

    class Sleepy:
        def __init__(self, transport: MemoryTransport) -> None:
            self.inner = waiter(transport)

        def wake(self, error: BaseException | None = None) -> None:
            if next(turns) % RARELY:
                self.inner.wake(error)

        def __await__(self) -> Any:
            return self.inner.__await__()

    return _replaced(MemoryTransport, waiter=lambda self: Sleepy(self))


def leaked_buffer() -> AbstractContextManager[None]:
    """Received bytes stay behind in a connection that goes back to its pool."""
    find = server_module.find_engine

    def leaking(name: str) -> Engine:
        kind = find(name).http_connection

        class Leaking(kind):  # type: ignore[misc, valid-type]
            def reset(self) -> None:
                try:
                    left, _ = self.trailing_data
                except AttributeError:  # it is being made
                    left = b""
                super().reset()
                if left:
                    self.receive_data(left)

        return Engine(name, Leaking)

    return _replaced(server_module, find_engine=leaking)


def double_answer() -> AbstractContextManager[None]:
    """An answer is written twice now and then."""
    write = MemoryStream.write
    turns = count(1)

    def doubling(self: MemoryStream, data: bytes | list[bytes]) -> None:
        write(self, data)
        if _is_answer(data) and next(turns) % RARELY == 0:
            write(self, data)

    return _replaced(MemoryStream, write=doubling)


PLANTS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "swapped-answers": swapped_answers,
    "reused-held-context": reused_held_context,
    "lost-wake-up": lost_wake_up,
    "leaked-buffer": leaked_buffer,
    "double-answer": double_answer,
}
