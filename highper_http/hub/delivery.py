"""In which order a hub's messages are handed over, and when others have the loop meanwhile.

Handing over may have effects: a slow subscriber ends, a hook tells others of it. What is published because of a message
comes behind it, to everybody. Where there are many to hand a message to, that is done in turns, if who publishes can
wait; who cannot finds it handed over when it says the next.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from typing import Final

from anyio import sleep

from .publication import Publication
from .topic import Topic

__all__ = ["Delivery"]

TURN: Final = 512  # subscribers that are handed something before others have the loop


class Delivery:
    """Hands messages to the topics of one hub.

    Args:
        topics: by name; looked at when a message's time has come.
        keep: called with a topic and a message that its subscribers are about to have.
    """

    __slots__ = ("_coming", "_handed", "_handing", "_keep", "_topics")

    def __init__(self, topics: dict[str, Topic], keep: Callable[[Topic, Publication], None]) -> None:
        self._topics = topics
        self._keep = keep
        self._coming: deque[tuple[str, Publication]] = deque()
        self._handing = False
        self._handed = 0  # since others had the loop

    def deliver(self, topic: str, publication: Publication) -> None:
        """Hand a message to everybody, now, or behind the one that is being handed over."""
        self._coming.append((topic, publication))
        self._catch_up()

    async def publish(self, topic: str, publication: Publication) -> None:
        """Hand a message to everybody, and let others have the loop now and then.

        Who does so, too, waits until everybody has the message before. Cancelled, everybody has it, or nobody.
        """
        if len(self._topics.get(topic, ())) > TURN:
            await self._deliver_in_turns(topic, publication)
        else:
            self.deliver(topic, publication)
        await self.breathe(topic)

    async def breathe(self, topic: str) -> None:
        """Let others have the loop, if enough was handed over since they had it; a message of `topic` was the last."""
        self._handed += 1 + len(self._topics.get(topic, ()))
        if self._handed >= TURN:
            self._handed = 0
            await sleep(0)

    async def _deliver_in_turns(self, topic: str, publication: Publication) -> None:
        while (place := self._topics.get(topic)) is not None and (place.is_handing_over or self._handing):
            await sleep(0)
        if place is None:
            return
        self._keep(place, publication)
        place.begin(publication)
        try:
            while not self._take_turn(place, publication, TURN):
                await sleep(0)
        finally:
            self._take_turn(place, publication, sys.maxsize)

    def _take_turn(self, place: Topic, publication: Publication, most: int) -> bool:
        self._handing = True
        try:
            everybody = place.go_on(publication, most)
        finally:
            self._handing = False
        self._catch_up()
        return everybody

    def _catch_up(self) -> None:
        if self._handing:
            return
        self._handing = True
        try:
            while self._coming:
                topic, publication = self._coming.popleft()
                place = self._topics.get(topic)
                if place is not None:
                    self._keep(place, publication)
                    place.deliver(publication)
        finally:
            self._handing = False
