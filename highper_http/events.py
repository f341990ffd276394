"""Server-Sent Events: an answer without an end of its own, written event by event.

    async with response.events(retry=3) as events:
        hub.join(events, "news", after=events.last_identity)
        await events.wait()

A stream of events is a subscriber of a hub, and its handler may send, too. It waits for no reader that a hub sends to:
one that is too far behind is let go, comes back, and says what it has had. While nothing is sent a comment goes out now
and then, so that proxies keep the connection, and a reader that is gone without a word is found out.

Source: HTML Living Standard, section 9.2.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from random import random
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson
from zope.interface import implementer

from highper_core.events import END_OF_MESSAGE, Data
from highper_transports.errors import StreamClosed
from highper_transports.timers import Timed

from .errors import ResponseError
from .event_text import HEARTBEAT, format_event, format_retry
from .hub.interfaces import ISubscriber
from .hub.publication import EVENTS

if TYPE_CHECKING:
    from highper_transports.exchange import Exchange
    from highper_transports.interfaces import IWaiter

    from .response import Response

__all__ = ["EventStream"]

logger = logging.getLogger("highper.error")

QUEUE: Final = 64 * 1024


@implementer(ISubscriber)
class EventStream(Timed):
    """The events of one answer. Made by `Response.events`, used as an async context manager.

    Args:
        response: the answer.
        heartbeat: seconds of silence after which a comment is sent, at the latest.
        retry: seconds a reader waits before it reconnects; None for what it likes.
        queue: bytes that may wait for a reader when more is posted.
        overflow: what becomes of a reader that is farther behind: "close" it, so that it comes back and goes on behind
            the last event it had; or "drop" what is posted until it has caught up.
        drain: name of the event that tells readers that the server stops; None for no such event.

    Attributes:
        closed: it has ended, or begun to.
        draining: the server stops: end soon, or be cancelled.
        dropped: events posted that it did not take.

    Raises:
        ValueError: a time or a bound is not positive.
    """

    __slots__ = (
        "closed",
        "draining",
        "dropped",
        "_callbacks",
        "_dispatcher",
        "_drain",
        "_exchange",
        "_heartbeat",
        "_overflow",
        "_queue",
        "_response",
        "_retry",
        "_spoke",
        "_waiters",
    )

    window_bits = EVENTS

    def __init__(
        self,
        response: Response,
        *,
        heartbeat: float = 15.0,
        retry: float | None = None,
        queue: int = QUEUE,
        overflow: Literal["close", "drop"] = "close",
        drain: str | None = "drain",
    ) -> None:
        Timed.__init__(self)
        if not heartbeat > 0 or queue <= 0:
            raise ValueError("a heartbeat takes some seconds, a queue some bytes")
        if overflow not in ("close", "drop"):
            raise ValueError(f"a reader that is behind is closed, or events are dropped: not {overflow!r}")
        self.closed = False
        self.draining = False
        self.dropped = 0
        self._response = response
        self._exchange: Exchange = None  # type: ignore[assignment]  # until it is entered
        self._dispatcher: Any = None  # while it tells us what becomes of the reader, and of the server
        self._heartbeat = heartbeat
        self._retry = None if retry is None else format_retry(retry)
        self._drain = None if drain is None else _parting(drain, retry)
        self._queue = queue
        self._overflow = overflow
        self._spoke = False
        self._callbacks: list[Callable[[Any], object]] = []
        self._waiters: list[IWaiter] = []

    async def __aenter__(self) -> EventStream:
        """Send the head. The answer to a HEAD ends with it."""
        if self._exchange is not None or self.closed:
            raise ResponseError("these events have been entered already")
        response = self._response
        known = {name for name, _ in response._fields or ()}
        for name, value in _FIELDS:
            if name.encode() not in known:
                response.header(name, value)
        exchange = self._exchange = response._send_head()
        if exchange.request.method == b"HEAD":
            self._close()
            return self
        exchange.send(Data(self._retry if self._retry is not None else HEARTBEAT))
        self._arm()
        assert exchange.driver is not None
        self._dispatcher = exchange.driver.application
        self._dispatcher.lasts(exchange, self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """End the stream. Where it had ended before, a handler that sent on ends here, and not as one that failed."""
        ended = self.closed and isinstance(error, StreamClosed) and not self._entered().disconnected
        self._close()
        if error is None or ended:
            self._response._end_stream(END_OF_MESSAGE)
        return ended

    @property
    def last_identity(self) -> str | None:
        """Identity of the last event that the reader has had, where it comes back (Last-Event-ID)."""
        line = self._entered().request.headers.first(b"last-event-id")
        return line.decode("utf-8", "replace") if line else None

    # Sending

    async def send(self, data: str, *, name: str | None = None, identity: str | None = None) -> None:
        """Send an event, and wait while the reader takes less than is sent.

        Args:
            data: text of any number of lines.
            name: its type; None for `message`.
            identity: what the reader gives as Last-Event-ID when it comes back behind this event.

        Raises:
            StreamClosed: the stream of events has ended.
            ValueError: a name or an identity that no event can have.
        """
        exchange = self._entered()
        event = format_event(data, name=name, identity=identity)
        if self.closed:
            raise StreamClosed("the stream of events has ended")
        self._write(event)
        await exchange.drain()

    async def send_json(self, value: Any, *, name: str | None = None, identity: str | None = None) -> None:
        """Send an event whose data is JSON. As `send`.

        Raises:
            TypeError: `value` has no form in JSON.
        """
        await self.send(orjson.dumps(value).decode(), name=name, identity=identity)

    def post(self, data: bytes, *, compressed: bool = False, key: Hashable | None = None) -> bool:
        """Send the text of whole events without waiting, as a hub does; False where it was dropped.

        Args:
            data: as `format_event` returns it.
            compressed, key: of no use here.
        """
        if self.closed:
            return False
        exchange = self._entered()
        if exchange.disconnected:
            self._close()
        else:
            waiting = exchange.stream.unwritten
            if not waiting or waiting + len(data) <= self._queue:
                self._write(data)
                return True
            if self._overflow == "close":
                self._close()
        self.dropped += 1
        return False

    def _write(self, data: bytes) -> None:
        self._exchange.send(Data(data))
        self._spoke = True

    def _entered(self) -> Exchange:
        if self._exchange is None:
            raise ResponseError("events are sent inside `async with response.events()`")
        return self._exchange

    # Time

    def _arm(self) -> None:
        transport = self._exchange.stream.transport
        transport.timers.arm(self, transport.now() + self._heartbeat / 2)

    def expired(self, now: float) -> None:
        """Send a heartbeat, if nothing was sent since the last look."""
        if self._exchange.disconnected:
            self._close()
            return
        if not self._spoke and not self._exchange.stream.unwritten:
            self._exchange.send(Data(HEARTBEAT))
        self._spoke = False
        self._arm()

    # Ends

    async def wait(self) -> None:
        """Wait until the stream has ended, or the server stops.

        Where the reader vanishes the handler is cancelled, as any other; unless its route says not to: then this ends.
        """
        if not (self.closed or self.draining):
            waiter = self._entered().stream.transport.waiter()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def on_closed(self, callback: Callable[[EventStream], object]) -> None:
        """Call `callback(stream)` once it is `closed`, which has not come yet.

        Raises:
            ResponseError: it was not entered, or has ended.
        """
        self._entered()
        if self.closed:
            raise ResponseError("the stream of events has ended")
        self._callbacks.append(callback)

    def server_stops(self) -> None:
        """Tell reader and handler. Called by the server."""
        if not self.draining:
            self.draining = True
            if self._drain is not None:
                self._exchange.send(Data(self._drain))
            self._wake()

    def reader_vanished(self) -> None:
        """Let the handler end. Called by the server."""
        self._close()

    def _close(self) -> None:
        if self.closed:
            return
        self.closed = True
        exchange = self._exchange
        if self._dispatcher is not None:
            exchange.stream.transport.timers.cancel(self)
            self._dispatcher.lasts_no_more(exchange)
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            try:
                callback(self)
            except Exception:
                logger.exception("what was to be told of the end of a stream of events failed")
        self._wake()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.wake()


_FIELDS: Final = (("cache-control", "no-store"), ("x-accel-buffering", "no"))  # nobody may keep events, or hold them up


def _parting(name: str, retry: float | None) -> bytes:
    """Return the event that tells of the stop; readers are told to come back at different times."""
    event = format_event("", name=name)
    return event if retry is None else format_retry(retry * (1 + random())) + event
