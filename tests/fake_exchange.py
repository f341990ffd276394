"""An exchange without a connection: it records what an application sends and hands out what a test feeds."""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Iterable
from contextvars import Context
from typing import Any, BinaryIO

from highper_core.errors import Fault, LocalProtocolError
from highper_core.events import END_OF_MESSAGE, Data, EndOfMessage, Event, Request, Response
from highper_transports.driver import Driver
from highper_transports.exchange import Exchange
from highper_transports.stream import Stream

DIRTY: tuple[Any, ...] = (7, True, 7.0, b"dirty", "dirty", ["dirty"], ("dirty",))


def unset(used: Any, fresh: Any, slots: Iterable[str]) -> list[str]:
    """Return the slots that `used._reset()` leaves unlike `fresh`, after each was given a value it can hold."""
    for slot in slots:
        for value in (*DIRTY, FakeExchange()):
            try:
                setattr(used, slot, value)
            except TypeError:
                continue
            if getattr(used, slot) != getattr(fresh, slot):
                break
        else:
            raise AssertionError(f"nothing fits into {slot}")
    used._reset()
    return [slot for slot in slots if getattr(used, slot) != getattr(fresh, slot)]


class FakeStream(Stream):
    """A stream that has addresses and nothing else."""

    def __init__(self) -> None:
        super().__init__(None)
        self.peer = ("192.0.2.1", 4711)
        self.local = ("192.0.2.2", 80)
        self.scheme = "http"


class FakeExchange(Exchange):
    """Takes what is sent instead of framing it."""

    def __init__(
        self,
        method: bytes = b"GET",
        target: bytes = b"/",
        headers: list[tuple[bytes, bytes]] | None = None,
        content: list[bytes] | None = None,
    ) -> None:
        length = sum(map(len, content or ()))
        driver = Driver.__new__(Driver)
        driver.stream = FakeStream()
        request = Request(method=method, target=target, headers=headers or [], content_length=length)
        super().__init__(driver, request)
        self.events: deque[Event] = deque([*map(Data, content or ()), END_OF_MESSAGE])
        self.head: Response | None = None
        self.content = b""
        self.complete = False
        self.aborted = False
        self.closed = 0

    def receive_nowait(self) -> Event | None:
        return self.events.popleft() if self.events else None

    def receives_directly(self, length: int) -> bool:
        return False

    async def receive(self) -> Event:
        return self.events.popleft()

    def send(self, event: Event) -> None:
        if isinstance(event, Response):
            self._check(event)
            self.head = event
            self.response_started = True
        elif isinstance(event, Data):
            self.content += event.data
            self.bytes_sent += len(event.data)
        elif isinstance(event, EndOfMessage):
            self.complete = True

    def send_message(self, head: Response, content: bytes = b"") -> None:
        self._check(head)
        self.send(head)
        self.send(Data(content))
        self.send(END_OF_MESSAGE)

    def _check(self, head: Response) -> None:
        if self.response_started:
            raise LocalProtocolError(Fault.EVENT_ILLEGAL)
        if any(b"\n" in value for _, value in head.headers):
            raise LocalProtocolError(Fault.FIELD_VALUE_INVALID)

    async def drain(self) -> None:
        if self.disconnected:
            raise ConnectionError

    async def send_file(self, file: BinaryIO, offset: int, length: int) -> None:
        file.seek(offset)
        self.send(Data(file.read(length)))

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        self.closed += 1

    @property
    def fields(self) -> dict[bytes, bytes]:
        assert self.head is not None
        return dict(self.head.headers)


class FakeTask:
    """A task that has run to its first wait."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], context: Context) -> None:
        self._coroutine = coroutine
        self._context = context
        self.error: BaseException | None = None
        self.cancelled = False
        self._done = False
        self.step()

    def step(self) -> None:
        try:
            self._context.run(self._coroutine.send, None)
        except StopIteration:
            self._done = True
        except BaseException as error:
            self.error = error
            self._done = True

    def throw(self, error: BaseException) -> None:
        try:
            self._context.run(self._coroutine.throw, error)
        except StopIteration:
            self._done = True
        except BaseException as raised:
            self.error = raised
            self._done = True

    def done(self) -> bool:
        return self._done

    def cancel(self) -> None:
        self.cancelled = True


class FakeTransport:
    """Runs every task at once, up to its first wait."""

    def __init__(self) -> None:
        self.time = 0.0
        self.tasks: list[FakeTask] = []

    def now(self) -> float:
        return self.time

    def spawn(self, coroutine: Coroutine[Any, Any, Any], context: Context, name: str | None = None) -> FakeTask:
        task = FakeTask(coroutine, context)
        self.tasks.append(task)
        return task
