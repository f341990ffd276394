"""The bus that Redis is: publish and subscribe, by redis-py (`pip install highper[redis]`).

A hub's topics are channels. One connection hears, another says, and both live and die together, for what is said while
nothing is heard would not come back. When they have died, others are made after a while, everything is subscribed to
anew, the listener is told of the gap, and what waits is sent. What was being sent at that moment is sent again: hubs
know a packet that comes twice.

Redis keeps nothing and promises no more than order: what is published while a subscriber is cut off never reaches it.
What a rule of its access control forbids to publish is told in the log, and reaches nobody.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from anyio import CancelScope, Event, create_task_group, current_time, fail_after, move_on_after, sleep
from zope.interface import implementer

from highper_transports.errors import ConnectFailed

from ..errors import ConfigError
from ..websocket.backoff import Backoff
from .interfaces import IBus, IBusListener

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

__all__ = ["RedisBus"]

logger = logging.getLogger("highper.error")

PACKET: Final = 64  # what a packet counts besides its bytes
ARGUMENTS: Final = 1000  # channels in one command
BATCH: Final = 64  # packets in one command
TURN: Final = 0.001  # seconds of handing over after which others have the loop
PARTING: Final = 1.0  # seconds that a stop waits for what is to be sent


@implementer(IBus)
class RedisBus:
    """A bus through one Redis.

    Args:
        url: `redis://user:password@host:port/database`, `rediss://...` with TLS, or `unix:///path`.
        prefix: of the channels' names, a NUL behind it; hubs with another one do not hear each other.
        queue: bytes of packets that may wait for Redis.
        silence: seconds without a word from Redis after which it is taken for gone; it is asked after half of them.
        patience: seconds that the start waits for it.
        backoff: how long to wait before it is tried again.
        options: further arguments of `redis.asyncio.Redis.from_url`.

    Raises:
        ConfigError: redis-py is not installed, the URL is none, or the prefix holds a NUL.
    """

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        *,
        prefix: str = "highper:",
        queue: int = 1024 * 1024,
        silence: float = 20.0,
        patience: float = 5.0,
        backoff: Backoff | None = None,
        **options: Any,
    ) -> None:
        self._client = _client(url, silence, options)
        self._place = urlsplit(url)._replace(query="").geturl().rpartition("@")[2]
        if "\0" in prefix:
            raise ConfigError("the prefix of a bus's channels holds no NUL")
        self._prefix = prefix.encode() + b"\0"  # no topic of a hub can then look like the prefix of another
        self._bound = queue
        self._silence = silence
        self._patience = patience
        self._backoff = backoff if backoff is not None else Backoff(0.1, 2.0, 5.0)
        self._listener: IBusListener | None = None
        self._topics: set[bytes] = set()  # as channels
        self._awaited: dict[bytes, int] = {}  # answers to SUBSCRIBE that are to come
        self._wishes: deque[tuple[bytes, bool]] = deque()  # channels to hear, or no more
        self._packets: deque[tuple[bytes, bytes]] = deque()
        self._size = 0
        self._wished, self._queued, self._roomy, self._up = Event(), Event(), Event(), Event()
        self._hearing = False  # a connection has begun with what was wanted then
        self._unanswered = 0  # of that, what Redis has not confirmed
        self._heard = 0.0
        self._cut_off: str | None = None  # why, while it is
        self._was_up = False
        self._group: AbstractAsyncContextManager[Any] | None = None
        self._scope: CancelScope | None = None

    # A bus, as a hub knows it

    async def start(self, listener: IBusListener) -> None:
        """Connect.

        Raises:
            ConnectFailed: Redis does not answer.
        """
        self._listener = listener
        self._wished, self._queued, self._roomy, self._up = Event(), Event(), Event(), Event()
        group = create_task_group()
        self._scope = (await group.__aenter__()).cancel_scope
        self._group = group
        group.start_soon(self._keep_up)
        try:
            with fail_after(self._patience):
                await self._up.wait()
        except BaseException as error:
            reason = self._cut_off
            await self._end()
            if isinstance(error, TimeoutError):
                raise ConnectFailed(f"no answer from Redis at {self._place}: {reason or 'silence'}") from error
            raise

    async def stop(self) -> None:
        """Send what waits, within a second, and hang up."""
        with move_on_after(PARTING):
            while self._packets:
                if self._roomy.is_set():
                    self._roomy = Event()
                await self._roomy.wait()
        await self._end()

    async def _end(self) -> None:
        group, self._group = self._group, None
        assert group is not None
        assert self._scope is not None
        self._scope.cancel()
        await group.__aexit__(None, None, None)
        with CancelScope(shield=True):
            await self._client.aclose()
        self._listener = None
        self._topics.clear()
        self._packets.clear()
        self._size = 0
        self._roomy.set()  # who waits is told that the hub does not run
        self._was_up = False

    def subscribe(self, topic: str) -> None:
        """Hand over what comes under `topic`, from when Redis has said so.

        Raises:
            ValueError: a topic with lone surrogates.
        """
        channel = self._channel(topic)
        self._topics.add(channel)
        self._wish(channel, True)

    def unsubscribe(self, topic: str) -> None:
        """Hand over no more of it."""
        channel = self._channel(topic)
        self._topics.discard(channel)
        self._wish(channel, False)

    def send(self, topic: str, packet: bytes) -> bool:
        """Take a packet without waiting; False where too many wait already."""
        size = len(packet) + PACKET
        if self._size + size > self._bound and self._size > self._bound // 2:
            return False
        self._packets.append((self._channel(topic), packet))
        self._size += size
        self._queued.set()
        return True

    async def room(self) -> None:
        """Wait until half of the room is free."""
        while self._size > self._bound // 2:
            if self._roomy.is_set():
                self._roomy = Event()
            await self._roomy.wait()

    def _channel(self, topic: str) -> bytes:
        return self._prefix + topic.encode()

    def _wish(self, channel: bytes, hear: bool) -> None:
        if self._hearing:  # else the next connection begins with what is wanted by then
            self._wishes.append((channel, hear))
            if hear:
                self._awaited[channel] = self._awaited.get(channel, 0) + 1
            self._wished.set()

    # Connections

    async def _keep_up(self) -> None:
        failures = 0
        while True:
            began = current_time()
            try:
                await self._connect()
            except* Exception as errors:
                reason = _reason(errors)
                if self._cut_off is None:
                    logger.warning("the bus at %s is cut off: %s", self._place, reason)
                self._cut_off = reason
            was_up, self._up = self._up.is_set(), Event()
            failures = 1 if was_up and current_time() - began > self._backoff.longest else failures + 1
            await sleep(self._backoff.wait(failures))

    async def _connect(self) -> None:
        """Hear and say, until that fails."""
        hearing = self._client.pubsub()
        try:
            self._wishes.clear()
            self._hearing = True
            self._heard = current_time()
            channels = list({self._prefix} | self._topics)
            self._awaited = dict.fromkeys(channels, 1)
            self._unanswered = len(channels)
            await self._subscribe(hearing, channels)
            async with create_task_group() as group:
                group.start_soon(self._hear, hearing)
                group.start_soon(self._watch, hearing)
                group.start_soon(self._say)
        finally:
            self._hearing = False
            with CancelScope(shield=True):
                await hearing.aclose()  # type: ignore[no-untyped-call]

    def _is_up(self) -> None:
        """Everything that was subscribed to is heard."""
        assert self._listener is not None
        self._up.set()
        if self._cut_off is not None:
            logger.warning("the bus at %s is there again", self._place)
            self._cut_off = None
        if self._was_up:
            self._listener.missed()
        self._was_up = True

    # Hearing

    async def _subscribe(self, hearing: PubSub, channels: list[bytes]) -> None:
        for start in range(0, len(channels), ARGUMENTS):
            await hearing.subscribe(*channels[start : start + ARGUMENTS])

    async def _hear(self, hearing: PubSub) -> None:
        assert self._listener is not None
        busy = 0.0
        while True:
            message = await hearing.get_message(timeout=None)
            self._heard = current_time()
            if message is None:
                continue
            kind, channel = message["type"], message["channel"]
            if kind == "message":
                if channel in self._topics:
                    await self._listener.take(channel[len(self._prefix) :].decode(), message["data"])
            elif kind == "subscribe":
                self._answered(channel)
            busy += current_time() - self._heard
            if busy > TURN:
                busy = 0.0
                await sleep(0)

    def _answered(self, channel: bytes) -> None:
        assert self._listener is not None
        self._unanswered -= 1
        left = self._awaited.get(channel, 1) - 1
        if left:
            self._awaited[channel] = left
        else:
            self._awaited.pop(channel, None)
        if not self._unanswered:  # what is wished for since does not hold it up
            self._is_up()
        if not left and channel in self._topics:
            self._listener.subscribed(channel[len(self._prefix) :].decode())

    async def _watch(self, hearing: PubSub) -> None:
        """Say what to hear, and ask a Redis that is silent for a sign of life."""
        while True:
            self._wished = Event()
            if not self._wishes:
                with move_on_after(self._silence / 4):
                    await self._wished.wait()
            while self._wishes:
                channels, hear = self._like_wishes()
                if hear:
                    await self._subscribe(hearing, channels)
                else:
                    await hearing.unsubscribe(*channels)
            quiet = current_time() - self._heard
            if quiet >= self._silence:
                raise ConnectionError(f"not a word for {quiet:.0f} seconds")
            if quiet >= self._silence / 2:
                await hearing.ping()

    def _like_wishes(self) -> tuple[list[bytes], bool]:
        """Return the first wishes that are of one kind, and that."""
        hear = self._wishes[0][1]
        channels: list[bytes] = []
        while self._wishes and self._wishes[0][1] == hear and len(channels) < ARGUMENTS:
            channels.append(self._wishes.popleft()[0])
        return channels, hear

    # Saying

    async def _say(self) -> None:
        """Send packets. They wait until they have been taken, so that others can send them if this fails."""
        from redis.exceptions import NoPermissionError

        await self._up.wait()
        while True:
            self._queued = Event()
            if not self._packets:
                await self._queued.wait()
            batch = [self._packets[index] for index in range(min(BATCH, len(self._packets)))]
            async with self._client.pipeline(transaction=False) as pipeline:
                for channel, packet in batch:
                    pipeline.publish(channel, packet)
                answers = await pipeline.execute(raise_on_error=False)
            for (channel, _), answer in zip(batch, answers, strict=True):
                if isinstance(answer, NoPermissionError):  # to which another connection would change nothing
                    topic = channel[len(self._prefix) :].decode()
                    logger.error("the bus at %s takes nothing under %r: %s", self._place, topic, answer)
                elif isinstance(answer, Exception):
                    raise answer
            for _ in batch:
                self._size -= len(self._packets.popleft()[1]) + PACKET
            if self._size <= self._bound // 2:
                self._roomy.set()


def _client(url: str, silence: float, options: dict[str, Any]) -> Redis:
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError as error:
        raise ConfigError("a bus through Redis needs redis-py: pip install highper[redis]") from error
    given: dict[str, Any] = {"socket_timeout": silence, "retry": Retry(NoBackoff(), 0)}
    try:
        client: Redis = Redis.from_url(url, **given | options)
    except ValueError as error:
        raise ConfigError(f"not the URL of a Redis: {error}") from error
    return client


def _reason(errors: BaseExceptionGroup[Any]) -> str:
    """Return what went wrong first."""
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return f"{type(first).__name__}: {first}"
