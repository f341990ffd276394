"""A transport stepped by hand, a stream that records, and an application that keeps its exchanges.

Nothing here knows asyncio: what runs on it shows that the driver needs none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from heapq import heappop, heappush
from typing import Any

from highper_core import events as ev
from highper_transports.exchange import Exchange
from highper_transports.intake import Intake
from highper_transports.rest import Rest
from highper_transports.stream import Stream
from highper_transports.timers import TimerWheel


class Waiter:
    """Suspends a `Task` of this module."""

    def __init__(self, transport: HandTransport) -> None:
        self.transport = transport
        self.done = False
        self.error: BaseException | None = None
        self.task: Task | None = None

    def wake(self, error: BaseException | None = None) -> None:
        if not self.done:
            self.done = True
            self.error = error
            if self.task is not None:
                self.transport.call_soon(self.task.step)

    wake_now = wake

    def __await__(self) -> Generator[Any, None, None]:
        if not self.done:
            self.task = yield self
        if self.error is not None:
            raise self.error


class Task:
    """A coroutine and what became of it."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], context: Context) -> None:
        self.coroutine = coroutine
        self.context = context
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.cancelled = False

    def step(self, *, throw: BaseException | None = None) -> None:
        if self.done:
            return
        try:
            if throw is not None:
                self.context.run(self.coroutine.throw, throw)
            else:
                waiter = self.context.run(self.coroutine.send, None)
                self.context.run(_resume_with, waiter, self)
        except StopIteration as stop:
            self.done, self.result = True, stop.value
        except BaseException as error:
            self.done, self.error = True, error


def _resume_with(waiter: Waiter, task: Task) -> None:
    waiter.task = task
    if waiter.done:
        waiter.transport.call_soon(task.step)


class Handle:
    def __init__(self, when: float, callback: Callable[[], object]) -> None:
        self.when, self.callback, self.cancelled = when, callback, False

    def cancel(self) -> None:
        self.cancelled = True

    def __lt__(self, other: Handle) -> bool:
        return self.when < other.when


class HandTransport:
    """A clock and a queue that move when the test says so."""

    name = "hand"

    def __init__(self) -> None:
        self.clock = 1000.0
        self.ready: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self.handles: list[Handle] = []
        self.timers = TimerWheel(self.now, self.call_at)
        self.rest = Rest()

    def now(self) -> float:
        return self.clock

    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        self.ready.append((callback, args))

    def call_at(self, when: float, callback: Callable[[], object]) -> Handle:
        handle = Handle(when, callback)
        heappush(self.handles, handle)
        return handle

    def spawn(
        self, coroutine: Coroutine[Any, Any, Any], context: Context | None = None, name: str | None = None
    ) -> Task:
        task = Task(coroutine, context or copy_context())
        task.step()
        return task

    def waiter(self) -> Waiter:
        return Waiter(self)

    def turn(self) -> None:
        """Run what is ready, and what that makes ready."""
        while self.ready:
            callback, args = self.ready.popleft()
            callback(*args)

    def advance(self, seconds: float) -> None:
        """Let time pass, meeting timers in order."""
        end = self.clock + seconds
        self.turn()
        while self.handles and self.handles[0].when <= end:
            handle = heappop(self.handles)
            if not handle.cancelled:
                self.clock = max(self.clock, handle.when)
                handle.callback()
                self.turn()
        self.clock = end

    @property
    def armed(self) -> int:
        """Loop timers alive."""
        return sum(not handle.cancelled for handle in self.handles)


class RecordingStream(Stream):
    """Keeps what is written; the test plays the peer."""

    __slots__ = ("writes", "unsent", "calls", "reading", "wet", "intake")

    def __init__(self, transport: HandTransport) -> None:
        Stream.__init__(self, transport)  # type: ignore[arg-type]
        self.writes: list[bytes] = []
        self.unsent = 0
        self.calls: list[str] = []
        self.reading = True
        self.wet = False  # write pressure was told
        self.intake: Intake | None = None

    # the peer

    def gives(self, text: str) -> None:
        self.deliver(text.encode(), self.transport.now())

    def fills_in(self, count: int) -> None:
        """Bytes of content come while they are received into an intake."""
        assert self.intake is not None
        assert self.receiver is not None
        self.intake.room[:count] = b"y" * count
        self.intake.advance(count)
        if not self.intake.missing:
            self.intake = None
        self.receiver.filled(count, self.transport.now())

    def blocks(self, unsent: int) -> None:
        """The peer stops reading with `unsent` bytes in our buffer."""
        self.unsent = unsent
        if not self.wet:
            self.wet = True
            self.deliver_pressure(True)

    def unblocks(self) -> None:
        self.unsent = 0
        self.wet = False
        self.deliver_pressure(False)

    @property
    def text(self) -> str:
        """What was written, as one text of lines joined by semicolons."""
        return "; ".join(b"".join(self.writes).decode().splitlines())

    # IStream

    @property
    def unwritten(self) -> int:
        return self.unsent

    def write(self, data: bytes | list[bytes]) -> None:
        self.writes.append(b"".join(data) if isinstance(data, list) else data)

    def write_eof(self) -> None:
        self.calls.append("eof")

    def receive_into(self, intake: Intake | None) -> None:
        self.intake = intake

    def limit_writes(self, high: int, low: int) -> None:
        self.calls.append(f"limit {high} {low}")

    def close(self) -> None:
        self.calls.append("close")
        if not self.unsent:
            self.transport.call_soon(self._gone)

    def abort(self) -> None:
        self.calls.append("abort")
        self.transport.call_soon(self._gone)

    def _gone(self) -> None:
        if "lost" not in self.calls:
            self.calls.append("lost")
            self.deliver_loss(None)

    def breaks(self, error: BaseException) -> None:
        self.calls.append("lost")
        self.deliver_loss(error)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Recorder:
    """An application that keeps its exchanges, and may answer at once.

    Args:
        answer: called with each exchange as it begins.
    """

    def __init__(self, answer: Callable[[Exchange], object] | None = None) -> None:
        self.answer = answer
        self.begun: list[Exchange] = []
        self.lost: list[tuple[Exchange, BaseException | None]] = []

    def begin(self, exchange: Exchange) -> None:
        self.begun.append(exchange)
        if self.answer is not None:
            self.answer(exchange)

    def disconnected(self, exchange: Exchange, error: BaseException | None) -> None:
        self.lost.append((exchange, error))


def respond(exchange: Exchange, status: int = 200, content: bytes = b"hi") -> None:
    """Answer and close."""
    exchange.send_message(ev.Response(status_code=status, stream_id=exchange.stream_id), content)
    exchange.close()
