# cython: annotation_typing=False
"""Who gets what is published under one name, and what became of it.

Subscribers are kept by form, so a message is looked up once for each form and then handed over in a loop that decides
little; where they are many, in several turns. Handing over never waits: a subscriber that is behind falls under its own
policy, and what that drops is counted.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from ..websocket.speaker import Speaker

if TYPE_CHECKING:
    from .interfaces import ISubscriber
    from .publication import Publication

__all__ = ["Topic", "TopicStatistics"]

logger = logging.getLogger("highper.error")


class TopicStatistics(NamedTuple):
    """What became of a topic's messages in this process, since it has had a subscriber.

    Args:
        subscribers: there are now.
        published: messages that came, from here or over the bus.
        delivered: times that a subscriber took one.
        dropped: times that one did not: it was slow, or just gone.
        kept: messages that are kept for who comes back.
        gaps: times that the bus may have lost some.
    """

    subscribers: int
    published: int
    delivered: int
    dropped: int
    kept: int
    gaps: int


class Topic:
    """The subscribers of one name, in this process.

    Args:
        name: its name.
        place: of the newest message of any topic that is kept: what this topic knows begins behind it.
    """

    __slots__ = (
        "name",
        "known_from",
        "left_at",
        "kept",
        "kept_size",
        "published",
        "delivered",
        "dropped",
        "gaps",
        "_current",
        "_subscribers",
        "_size",
        "_waiting",
    )

    def __init__(self, name: str, place: int = 0) -> None:
        self.name = name
        self.known_from = place  # every message behind this place is in `kept`, where messages are kept
        self.left_at = 0.0  # when the last subscriber left
        self.kept: deque[tuple[float, Publication]] = deque()
        self.kept_size = 0
        self.published = 0
        self.delivered = 0
        self.dropped = 0
        self.gaps = 0
        self._subscribers: dict[int, dict[ISubscriber, None]] = {}
        self._size = 0
        self._current: Publication | None = None  # what is being handed over, and who is still to have it
        self._waiting: list[tuple[int, dict[ISubscriber, None], list[ISubscriber]]] = []

    def __len__(self) -> int:
        """Number of subscribers."""
        return self._size

    def __bool__(self) -> bool:
        return True

    def subscribers(self) -> list[ISubscriber]:
        """Return everybody, in no particular order."""
        return [subscriber for group in self._subscribers.values() for subscriber in group]

    def add(self, subscriber: ISubscriber, form: int) -> None:
        """Let `subscriber`, which is not here, have what comes from now on, in that form."""
        self._subscribers.setdefault(form, {})[subscriber] = None
        self._size += 1

    def discard(self, subscriber: ISubscriber, form: int) -> None:
        """Let it have no more."""
        group = self._subscribers[form]
        del group[subscriber]
        if not group:
            del self._subscribers[form]
        self._size -= 1

    def deliver(self, publication: Publication) -> None:
        """Hand a message to everybody who is here now, behind what is being handed over."""
        self.begin(publication)
        self.go_on(publication, self._size)

    def begin(self, publication: Publication) -> None:
        """Be about to hand a message to everybody who is here now; what was begun before is brought to its end."""
        if self._current is not None:
            self.go_on(self._current, sys.maxsize)
        self.published += 1
        self._current = publication
        # who is handed something may end by it, and leave, or have others leave and come
        self._waiting = [(form, group, list(group)) for form, group in self._subscribers.items()]

    def go_on(self, publication: Publication, most: int) -> bool:
        """Hand a message that was begun to so many more; return whether everybody has it."""
        if self._current is not publication:
            return True
        key = publication.key
        waiting = self._waiting
        while waiting:
            form, group, subscribers = waiting.pop()
            if len(subscribers) > most:
                waiting.append((form, group, subscribers[most:]))
                subscribers = subscribers[:most]
            most -= len(subscribers)
            data, compressed = publication.encoded(form)
            for subscriber in subscribers:
                if subscriber not in group:
                    continue
                taken = False
                try:
                    if isinstance(subscriber, Speaker):
                        socket = subscriber
                        taken = socket.take_frames(data, compressed, key)
                    else:
                        taken = subscriber.post(data, compressed=compressed, key=key)
                except Exception:
                    logger.exception("a subscriber of %r took a message badly", self.name)
                if taken:
                    self.delivered += 1
                else:
                    self.dropped += 1
            if most <= 0 and waiting:
                return False
        self._current = None
        return True

    @property
    def is_handing_over(self) -> bool:
        """Whether a message was begun that not everybody has."""
        return self._current is not None

    def statistics(self) -> TopicStatistics:
        """Return what became of its messages."""
        return TopicStatistics(self._size, self.published, self.delivered, self.dropped, len(self.kept), self.gaps)
