"""The hub: topics, who is in them, and what is published to them.

Without a bus a message is delivered while it is published. With one it goes out first, and is delivered in every
process, this one included, when it comes from there: all see one order, and what the bus lost nobody has seen.

Joining, leaving and posting never wait, so callbacks can do it. A subscriber that ends leaves by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import NoneType
from typing import Any, TypeAlias, TypeVar

import orjson
from anyio import current_time

from ..event_text import check_name
from ..websocket.answered import ClientWebSocket
from .delivery import Delivery
from .history import Archive, History
from .interfaces import IBus, ISubscriber
from .line import Line
from .packets import Kind, Packet
from .publication import Compression, Publication, form_of
from .topic import Topic, TopicStatistics

__all__ = ["Hub", "Message"]

logger = logging.getLogger("highper.error")

Message: TypeAlias = "str | bytes | dict[str, Any] | list[Any]"
"""What is published. Dictionaries and lists go as JSON text; who reads events gets bytes as Base64."""

PresenceHook = TypeVar("PresenceHook", bound=Callable[[str, str, bool], object])
GapHook = TypeVar("GapHook", bound=Callable[[], object])


class Hub:
    """Topics that WebSockets and streams of events join, and that anybody publishes to.

    Args:
        bus: carries messages to the hubs of other processes, and back; None for this process alone.
        history: what is kept for readers of events that come back; None for nothing.
        presence: keep account of who is in a topic; `join` says it.
        compression: for the sockets that agreed on it.

    A hub with a bus is started before it is used: `app.on_startup(hub.start)` and `app.on_shutdown(hub.stop)`, or
    `async with hub`.
    """

    def __init__(
        self,
        bus: IBus | None = None,
        *,
        history: History | None = None,
        presence: bool = False,
        compression: Compression | None = None,
    ) -> None:
        self._shared = bus is not None
        self._archive = None if history is None else Archive(history)
        self._compression = compression if compression is not None else Compression()
        self._topics: dict[str, Topic] = {}
        self._left: dict[str, None] = {}  # topics without a subscriber that are kept, the one left first in front
        self._members: dict[ISubscriber, _Member] = {}
        self._leave_all = self._closed  # one for all
        self._on_presence: list[Callable[[str, str, bool], object]] = []
        self._on_gap: list[Callable[[], object]] = []
        self._delivery = Delivery(self._topics, self._keep)
        self._line = Line(bus, self._delivery, self._arrived, self._interrupted, self._notice if presence else None)

    # Life

    async def start(self) -> None:
        """Begin, in the running loop. Without a bus there is nothing to begin.

        What it runs belongs to the task that calls this: hubs started by one task are stopped in reverse.

        Raises:
            ConnectFailed: the bus cannot be reached.
        """
        await self._line.start()
        if self._shared and self._topics:  # those that were here when it was stopped
            for topic in self._topics:
                self._line.begin(topic)
            self._line.missed()

    async def stop(self) -> None:
        """End. Called by the task that has called `start`; again has no effect."""
        await self._line.stop()

    async def __aenter__(self) -> Hub:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    # Joining

    def join(self, subscriber: ISubscriber, topic: str, *, who: str | None = None, after: str | None = None) -> bool:
        """Let `subscriber` have what is published to `topic` from now on, until it leaves or ends. Again: no effect.

        Args:
            subscriber: a WebSocket that was accepted, or a stream of events.
            topic: any text but an empty one, and one with a lone surrogate.
            who: as whom it is present.
            after: identity of the last message it has had; what was kept of those behind it is handed over first.

        Returns:
            False where messages behind `after` are missing, and where the subscriber has ended.

        Raises:
            RuntimeError: the socket is not open yet, or the hub has a bus and is not running.
            ResponseError: the stream of events was not entered yet.
            TypeError: the socket is a client's.
            ValueError: the topic is none, or `who` is said to a hub without presence.
        """
        if who is not None and self._line.presence is None:
            raise ValueError("this hub was made without presence")
        if subscriber.closed:
            return False
        member = self._members.get(subscriber)
        if member is None:
            if isinstance(subscriber, ClientWebSocket):
                raise TypeError("a hub's messages are a server's: a client's WebSocket sends its own")
            subscriber.on_closed(self._leave_all)
            member = self._members[subscriber] = _Member(form_of(subscriber.window_bits))
        if topic in member.topics:
            return True
        place = self._place(topic)
        complete = after is None or self._hand_over(subscriber, member.form, place, after)
        if subscriber.closed:  # that was too much for it
            self._let_go(place)
            return False
        member.topics[topic] = who
        place.add(subscriber, member.form)
        self._left.pop(topic, None)
        if who is not None and self._line.presence is not None:
            self._line.presence.came(topic, who)
        return complete

    def leave(self, subscriber: ISubscriber, topic: str) -> None:
        """Let `subscriber` have no more of `topic`. No effect where it is not there."""
        member = self._members.get(subscriber)
        if member is not None and topic in member.topics:
            self._leave(subscriber, member, topic)

    async def settled(self, topic: str) -> None:
        """Wait until `topic`, which somebody here has joined, hears other processes, too."""
        await self._line.settled(topic)

    def _closed(self, subscriber: ISubscriber) -> None:
        member = self._members.pop(subscriber)
        for topic in list(member.topics):
            self._leave(subscriber, member, topic)

    def _leave(self, subscriber: ISubscriber, member: _Member, topic: str) -> None:
        who = member.topics.pop(topic)
        place = self._topics[topic]
        place.discard(subscriber, member.form)
        if who is not None and self._line.presence is not None:
            self._line.presence.went(topic, who)
        self._let_go(place)

    # Topics

    def _place(self, name: str) -> Topic:
        """Return the topic of that name, which begins if it is not there."""
        place = self._topics.get(name)
        if place is None:
            _check_topic(name)
            self._line.demand()
            place = self._topics[name] = Topic(name, 0 if self._archive is None else self._archive.latest)
            self._line.begin(name)
        return place

    def _let_go(self, place: Topic) -> None:
        """Forget a topic that has no subscribers; not yet, where its messages are kept."""
        if len(place) or self._topics.get(place.name) is not place:  # a hook may have come before us
            return
        if self._archive is None:
            self._forget(place)
            return
        now = current_time()
        place.left_at = now
        self._left.pop(place.name, None)
        self._left[place.name] = None
        self._forget_old(self._archive.history, now)

    def _forget_old(self, history: History, now: float) -> None:
        while self._left:
            oldest = self._topics[next(iter(self._left))]
            if len(self._left) <= history.topics and oldest.left_at >= now - history.seconds:
                return
            del self._left[oldest.name]
            self._forget(oldest)

    def _forget(self, place: Topic) -> None:
        del self._topics[place.name]
        if self._archive is not None:
            self._archive.forget(place)
        self._line.end(place.name)

    def topics(self) -> list[str]:
        """Return the topics that somebody here has joined, or whose messages are kept."""
        return list(self._topics)

    def subscribers(self, topic: str) -> list[ISubscriber]:
        """Return who has joined `topic`, in this process."""
        place = self._topics.get(topic)
        return [] if place is None else place.subscribers()

    def statistics(self, topic: str) -> TopicStatistics:
        """Return what became of what was published to `topic`; of one that is not there, zeros."""
        return self._topics.get(topic, _NOWHERE).statistics()

    # Publishing

    def post(
        self, topic: str, message: Message, *, key: str | None = None, name: str | None = None, here: bool = False
    ) -> bool:
        """Publish without waiting.

        Args:
            topic: where to.
            message: text, bytes, or what JSON can say.
            key: to a slow socket whose policy is to conflate, this message stands in for an older one of the same key.
            name: type of the event, to who reads events.
            here: to this process alone; such a message is not kept.

        Returns:
            False where the bus is cut off and too much waits for it already: the message was dropped.

        Raises:
            TypeError: nothing that can be published, or a key that is no text.
            ValueError: the topic is none, the name holds a line end, or the text a lone surrogate.
            RuntimeError: the hub has a bus and is not running.
        """
        content = _checked(topic, message, key, name)
        if self._shared and not here:
            return self._send(topic, content, key, name)
        self._delivery.deliver(topic, self._publication(content, key, name, here))
        return True

    async def publish(
        self, topic: str, message: Message, *, key: str | None = None, name: str | None = None, here: bool = False
    ) -> None:
        """Publish; wait while the bus has no room, and let others have the loop now and then. Arguments as `post`.

        Raises:
            TypeError, ValueError, RuntimeError: as `post`.
        """
        content = _checked(topic, message, key, name)
        if self._shared and not here:
            while not self._send(topic, content, key, name):
                await self._line.room()
            await self._delivery.breathe(topic)
        else:
            await self._delivery.publish(topic, self._publication(content, key, name, here))

    def _send(self, topic: str, content: str | bytes, key: str | None, name: str | None) -> bool:
        self._line.demand()
        return self._line.say(topic, Kind.MESSAGE, content, key, name)

    def _publication(self, content: str | bytes, key: str | None, name: str | None, here: bool) -> Publication:
        identity = None if here or self._archive is None else self._line.sender.next_identity()
        return Publication(content, self._compression, key, name, identity)

    def _keep(self, place: Topic, publication: Publication) -> None:
        if self._archive is not None and publication.identity is not None:
            now = current_time()
            self._archive.keep(place, publication, now)
            self._forget_old(self._archive.history, now)

    def _hand_over(self, subscriber: ISubscriber, form: int, place: Topic, after: str) -> bool:
        if self._archive is None:
            return False
        self._archive.trim(place, current_time())
        complete, missed = self._archive.behind(place, after)
        for publication in missed:
            data, compressed = publication.encoded(form)
            complete = subscriber.post(data, compressed=compressed, key=publication.key) and complete
        return complete

    # Presence and gaps

    def present(self, topic: str) -> list[str]:
        """Return who is in `topic` in any process, as far as is known here; to be told, somebody here has joined it.

        Raises:
            ValueError: the hub was made without presence.
        """
        if self._line.presence is None:
            raise ValueError("this hub was made without presence")
        return sorted(self._line.presence.present(topic))

    def on_presence(self, hook: PresenceHook) -> PresenceHook:
        """Call `hook(topic, who, came)` when somebody has come first, or gone last, over all processes: a plain
        function, in each process that has subscribers there. Usable as a decorator.
        """
        self._on_presence.append(hook)
        return hook

    def on_gap(self, hook: GapHook) -> GapHook:
        """Call `hook()`, a plain function, when the bus may have lost messages. Usable as a decorator."""
        self._on_gap.append(hook)
        return hook

    def _notice(self, topic: str, who: str, came: bool) -> None:
        for hook in self._on_presence:
            _call(hook, topic, who, came)

    # What comes from the bus

    def _arrived(self, packet: Packet) -> Publication:
        message, key, name = packet.content
        identity = None if self._archive is None else f"{packet.sender}.{packet.number:x}"
        return Publication(message, self._compression, key, name, identity)

    def _interrupted(self) -> None:
        for place in self._topics.values():
            place.gaps += 1
            if self._archive is not None:
                self._archive.interrupt(place)
        for hook in self._on_gap:
            _call(hook)


class _Member:
    """A subscriber: its form, and as whom it is in which topics."""

    __slots__ = ("form", "topics")

    def __init__(self, form: int) -> None:
        self.form = form
        self.topics: dict[str, str | None] = {}


def _checked(topic: str, message: Message, key: str | None, name: str | None) -> str | bytes:
    """Return what of a message is sent; what is wrong with it is the publisher's fault, and nobody else's."""
    _check_topic(topic)
    if isinstance(message, (dict, list)):
        message = orjson.dumps(message).decode()
    elif not isinstance(message, (str, bytes)):
        raise TypeError(f"a hub publishes str, bytes, dict or list, not {type(message).__name__}")
    elif isinstance(message, str) and not message.isascii():
        message.encode()
    if name is not None:
        check_name(name)
    if not isinstance(key, (str, NoneType)):
        raise TypeError(f"the key of a message is a str, not {type(key).__name__}")
    return message


def _check_topic(name: str) -> None:
    if not name:
        raise ValueError("a topic has a name")
    if not name.isascii():
        name.encode()


def _call(hook: Callable[..., object], *arguments: object) -> None:
    try:
        hook(*arguments)
    except Exception:
        logger.exception("a hook of a hub failed")


_NOWHERE = Topic("")
