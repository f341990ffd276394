# cython: annotation_typing=False
"""One request and its answer, as the application (SERVER) or the caller (CLIENT) holds it.

Events that came in wait here until they are asked for, so an exchange is also the place where a reader that is slower
than its peer is felt. What goes out is corked by the driver: one write per read event or resumed coroutine step.

An exchange outlives its connection: once closed, or once the peer is gone, every call on it is refused or has no
effect, and none reaches what the stream or the driver does next.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from highper_core._spares import keep_spares
from highper_core.events import Data, EndOfMessage, Event, Request, Response

from .errors import StreamBroken, StreamBusy, StreamClosed
from .intake import Intake

if TYPE_CHECKING:
    from .cycles import Cycles
    from .interfaces import IWaiter
    from .stream import Receiver, Stream

__all__ = ["Exchange"]

WINDOW: Final = 64 * 1024  # content not yet asked for; beyond it no more is parsed
EVENT: Final = 128  # what an event in the queue counts besides its content: a peer that sends crumbs fills memory too
PIECE: Final = 64 * 1024
BURST: Final = 256 * 1024  # bytes, or
TURNS: Final = 64  # pieces, after which a writer that never had to wait lets others have the loop


class Exchange:
    """One request and its answer. Made by a driver.

    Attributes:
        request: head of the request.
        stream_id: its identifier on the connection.
        stream: the byte stream beneath.
        task: free for the application.
        response_started: the head of the final response was framed.
        bytes_sent: content framed so far.
        disconnected: the peer is gone.
    """

    __slots__ = (
        "request",
        "stream_id",
        "stream",
        "driver",
        "task",
        "response_started",
        "bytes_sent",
        "disconnected",
        "full",
        "_error",
        "_events",
        "_end",
        "_queued",
        "_receiver",
        "_writer",
        "_turns",
        "_burst",
    )

    def __init__(self, driver: Cycles, request: Request) -> None:
        self._set_up(driver, request)

    def _set_up(self, driver: Cycles, request: Request) -> None:
        self.request = request
        self.stream_id = request.stream_id
        self.stream: Stream = driver.stream
        self.driver: Cycles | None = driver
        self.task: Any = None
        self.response_started = False
        self.bytes_sent = 0
        self.disconnected = False
        self.full = False
        self._error: BaseException | None = None
        self._events: deque[Event] | None = None
        self._end: EndOfMessage | None = None
        self._queued = 0
        self._receiver: IWaiter | None = None
        self._writer: IWaiter | None = None
        self._turns = 0  # pieces since others had the loop
        self._burst = 0  # bytes_sent when they had it

    def __repr__(self) -> str:
        return f"<Exchange {self.stream_id} {self.request.method!r} {self.request.target!r}>"

    # In

    def receive_nowait(self) -> Event | None:
        """Return the next event that has arrived, or None. EndOfMessage stays the answer once it came.

        Raises:
            RemoteProtocolError, StreamBroken: as `receive`.
        """
        if self._events:
            event = self._events.popleft()
            if type(event) is Data:
                self._queued -= len(event.data) + EVENT
                if self.full and self._queued < WINDOW // 2 and self.driver is not None:
                    self.driver.has_room(self)
            return event
        if self._end is not None:
            return self._end
        if self._error is not None:
            raise self._error
        return None

    async def receive(self) -> Event:
        """Return the next event: Data or EndOfMessage; a CLIENT gets the heads of the responses before.

        Asking for content is what sends 100 Continue to a peer that waits for it (RFC 9110 section 10.1.1).

        Raises:
            RemoteProtocolError: the peer broke a rule, or a deadline; the fault tells which.
            StreamBroken: the peer vanished before the message was complete.
            StreamClosed: the exchange is closed.
            StreamBusy: another task is receiving.
        """
        while True:
            event = self.receive_nowait()
            if event is not None:
                return event
            driver = self.driver
            if driver is None:
                raise StreamClosed("the exchange is closed")
            if self._receiver is not None:
                raise StreamBusy("another task is receiving")
            driver.wants(self)
            waiter = self._receiver = driver.transport.waiter()
            try:
                await waiter
            finally:
                self._receiver = None

    def receives_directly(self, length: int) -> bool:
        """Return whether content of that known length is enough for `receive_content` (`Limits.direct_content`)."""
        return self.driver is not None and length >= self.driver.connection.limits.direct_content

    async def receive_content(self) -> bytes:
        """Return the whole content, whose length the head announced, as one object; large content without a copy.

        Nothing of it may have been received before. The bound is the caller's: memory for all of it is taken at once.

        Raises:
            RemoteProtocolError, StreamBroken, StreamClosed, StreamBusy: as `receive`.
        """
        intake = Intake(self.request.content_length)
        while True:
            event = self.receive_nowait()
            if event is None and self._receiver is None and self.driver is not None and self.driver.fill(intake):
                try:
                    event = await self.receive()
                finally:
                    if self.driver is not None:
                        self.driver.stop_filling()
            if event is None:
                event = await self.receive()
            if not isinstance(event, Data):
                return intake.take()
            intake.add(event.data)

    def feed(self, event: Event) -> None:
        """Take an event from the driver."""
        if type(event) is EndOfMessage:
            self._end = event
        else:
            if self._events is None:
                self._events = deque()
            self._events.append(event)
            if type(event) is Data:
                self._queued += len(event.data) + EVENT
                if self._queued >= WINDOW and not self.full and self.driver is not None:
                    self.driver.has_no_room(self)
        if self._receiver is not None:
            self._receiver.wake()

    def fail(self, error: BaseException, disconnected: bool = False) -> None:
        """Let every wait, now and later, end with `error`; what has arrived can still be received."""
        if self._error is None:
            self._error = error
        if disconnected:
            self.disconnected = True
            if self._writer is not None:
                self._writer.wake()
        if self._receiver is not None:
            self._receiver.wake()

    # Out

    def send(self, event: Event) -> None:
        """Frame an event; it leaves with the others of this step.

        Raises:
            LocalProtocolError: the event is illegal here and nothing of it was framed.
            StreamClosed: the exchange is closed.
        """
        driver = self.driver
        if driver is None:
            raise StreamClosed("the exchange is closed")
        kind = type(event)
        if kind is Response:
            assert isinstance(event, Response)
            if driver.stopping and self.request.method != b"CONNECT":
                event = driver.parting(event)
            driver.connection.send(event)
            self.response_started = True
        else:
            driver.connection.send(event)
        if kind is Data:
            assert isinstance(event, Data)
            length = len(event.data)
            self.bytes_sent += length
            driver.cork(length)
        else:
            driver.cork(0)

    def send_message(self, head: Response, content: bytes = b"") -> None:
        """Frame a whole response: exactly `send` of head, content and end, all or nothing.

        Raises:
            LocalProtocolError: as `send`; nothing of the three was framed.
            StreamClosed: the exchange is closed.
        """
        driver = self.driver
        if driver is None:
            raise StreamClosed("the exchange is closed")
        if self._end is None and driver.gives_content_up():
            driver.stopping = True
        driver.connection.send_message(driver.parting(head) if driver.stopping else head, content)
        self.response_started = True
        length = len(content)
        self.bytes_sent += length
        driver.cork(length)

    async def send_file(self, file: BinaryIO, offset: int, length: int) -> None:
        """Send a part of a file as content of known length, by the system's own copying where the stream can.

        Where that fails or is cancelled the stream is aborted.

        Raises:
            LocalProtocolError: more than content-length promised.
            StreamBroken: the stream or the file ended first.
        """
        if self.driver is None:
            raise StreamClosed("the exchange is closed")
        if self.stream.sends_files:
            self.driver.connection.send_file(length)
            self.bytes_sent += length
            self.driver.flush()
            try:
                await self.stream.send_file(file, offset, length, self.driver.connection.limits.write_timeout)
            except BaseException:
                self.abort()  # all of it is accounted for: what came next would be read as the rest
                raise
            return
        file.seek(offset)
        while length:
            piece = file.read(min(PIECE, length))
            if not piece:
                raise StreamBroken(f"the file ended {length} bytes early")
            length -= len(piece)
            self.send(Data(piece, self.stream_id))
            await self.drain()

    async def drain(self) -> None:
        """Wait while the peer takes less than we write.

        Now and then it waits for one pass of the loop although there is room. A peer that takes everything would else
        be served alone; and a stream that broke while we wrote takes everything too, until a pass tells of its end.

        Raises:
            StreamBroken: the peer is gone.
            StreamBusy: another task is draining.
        """
        while True:
            if self.disconnected:
                assert self._error is not None
                raise self._error
            driver = self.driver
            if driver is None:
                return
            if not driver.outgoing.paused:
                self._turns += 1
                if self._turns < TURNS and self.bytes_sent - self._burst < BURST:
                    return
                self._turns = 0
                self._burst = self.bytes_sent
                waiter = driver.transport.waiter()
                driver.transport.call_soon(waiter.wake)
                await waiter
                continue
            if self._writer is not None:
                raise StreamBusy("another task is draining")
            waiter = self._writer = driver.transport.waiter()
            try:
                await waiter
            finally:
                self._writer = None

    def writable(self) -> None:
        """Let `drain` go on. Called by the driver."""
        if self._writer is not None:
            self._writer.wake()

    # End

    def abort(self) -> None:
        """End the stream at once; the peer sees that the answer is not complete."""
        if self.driver is not None:
            self.driver.abort()

    def close(self) -> None:
        """Say that the application is done. Exactly once; again has no effect.

        A complete answer lets the next cycle begin, after content nobody read was drained; an incomplete one aborts
        the stream.
        """
        driver, self.driver = self.driver, None
        if driver is not None:
            driver.finish(self)

    def take_over(self, receiver: Receiver) -> None:
        """Give the stream to `receiver`, after a 101 or a 2xx to CONNECT: what was framed is written, then it gets the
        bytes that were received and not parsed, and all that follow.

        Raises:
            StreamClosed: the exchange is closed or the peer is gone.
        """
        if self.driver is None or self.disconnected:
            raise StreamClosed("the exchange is closed")
        self.driver.take_over(receiver)


keep_spares(Exchange)
