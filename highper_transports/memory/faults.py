"""What goes wrong with the bytes of one direction, decided by a seed.

A run that found something repeats itself: nothing here draws from anywhere but the generator it was given.
"""

from __future__ import annotations

from collections import Counter
from random import Random

__all__ = ["Faults"]


class Faults:
    """The weather on one direction of a stream. Everything may be changed while bytes travel.

    Args:
        random: where decisions come from.
        split: chance that a delivery is cut, at any byte.
        delay: longest extra wait before a delivery, in seconds; each wait is drawn anew.
        stall: seconds that the next delivery waits, once.
        reset_at: offset in the direction's bytes after which the stream is reset, for both ends.
        half_close_at: offset after which the reader sees the end of input; what follows vanishes.

    Attributes:
        met: how often each has happened.
    """

    __slots__ = ("delay", "half_close_at", "met", "random", "reset_at", "split", "stall")

    def __init__(
        self,
        random: Random,
        *,
        split: float = 0.0,
        delay: float = 0.0,
        stall: float = 0.0,
        reset_at: int | None = None,
        half_close_at: int | None = None,
    ) -> None:
        self.random = random
        self.split = split
        self.delay = delay
        self.stall = stall
        self.reset_at = reset_at
        self.half_close_at = half_close_at
        self.met: Counter[str] = Counter()

    def wait(self) -> float:
        """Return how long the next delivery is held up."""
        seconds = 0.0
        if self.stall:
            self.met["stall"] += 1
            seconds, self.stall = self.stall, 0.0
        if self.delay:
            self.met["delay"] += 1
            seconds += self.random.random() * self.delay
        return seconds

    def cut(self, offset: int, length: int) -> int:
        """Return how many of the `length` bytes that follow `offset` arrive together."""
        for bound in (self.reset_at, self.half_close_at):
            if bound is not None and offset + length > bound:
                length = max(0, bound - offset)
        if length > 1 and self.split and self.random.random() < self.split:
            self.met["split"] += 1
            length = self.random.randrange(1, length)
        return length

    def ends(self, offset: int) -> str | None:
        """Return what ends the direction after `offset` bytes: "reset", "half-close" or None."""
        if self.reset_at is not None and offset >= self.reset_at:
            self.met["reset"] += 1
            return "reset"
        if self.half_close_at is not None and offset >= self.half_close_at:
            self.met["half-close"] += 1
            self.half_close_at = None
            return "half-close"
        return None
