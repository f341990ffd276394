"""What was published lately, for who comes back.

Every message that is kept has a place in one row, over all topics of a hub. A reader says behind which message it
wants to go on; a topic knows from which place on it has everything, so it can tell whether what it has is all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .publication import Publication
    from .topic import Topic

__all__ = ["Archive", "History"]


class History:
    """What a hub keeps of each topic. Immutable.

    Args:
        messages: at most.
        seconds: that a message is kept, and a topic that its last subscriber has left.
        size: characters and bytes of messages, at most; in the forms they were sent in they take a few times as much.
        topics: that have no subscriber, at most; the ones left longest ago are forgotten.

    Raises:
        ValueError: a bound is not positive.
    """

    __slots__ = ("messages", "seconds", "size", "topics")

    def __init__(
        self, *, messages: int = 100, seconds: float = 300.0, size: int = 256 * 1024, topics: int = 1000
    ) -> None:
        if min(messages, seconds, size, topics) <= 0:
            raise ValueError("a history's bounds are positive")
        self.messages = messages
        self.seconds = seconds
        self.size = size
        self.topics = topics


class Archive:
    """The messages that one hub keeps.

    Args:
        history: how many.
    """

    __slots__ = ("history", "latest", "_places")

    def __init__(self, history: History) -> None:
        self.history = history
        self.latest = 0
        self._places: dict[str, int] = {}

    def keep(self, topic: Topic, publication: Publication, now: float) -> None:
        """Keep a message, which has an identity, and drop what that puts beyond the bounds."""
        assert publication.identity is not None
        self.latest += 1
        publication.place = self._places[publication.identity] = self.latest
        topic.kept.append((now, publication))
        topic.kept_size += len(publication)
        self.trim(topic, now)

    def trim(self, topic: Topic, now: float) -> None:
        """Drop what is too much or too old."""
        history, kept = self.history, topic.kept
        oldest = now - history.seconds
        while kept and (len(kept) > history.messages or topic.kept_size > history.size or kept[0][0] < oldest):
            self._drop_first(topic)

    def forget(self, topic: Topic) -> None:
        """Drop all of a topic."""
        while topic.kept:
            self._drop_first(topic)

    def _drop_first(self, topic: Topic) -> None:
        publication = topic.kept.popleft()[1]
        topic.kept_size -= len(publication)
        topic.known_from = publication.place
        assert publication.identity is not None
        self._places.pop(publication.identity, None)  # one that a forgotten sender has sent twice is gone already

    def interrupt(self, topic: Topic) -> None:
        """Messages of a topic may have been lost here."""
        self.latest += 1
        topic.known_from = self.latest

    def behind(self, topic: Topic, identity: str) -> tuple[bool, Iterator[Publication]]:
        """Return whether all messages behind the one with that identity are kept, and those that are."""
        place = self._places.get(identity, inf)
        complete = topic.known_from <= place < inf
        beyond = 0 if place == inf else place
        return complete, (publication for _, publication in topic.kept if publication.place > beyond)
