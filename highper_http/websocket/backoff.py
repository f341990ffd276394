"""How long to wait before connecting anew, so that the clients of a server that went down do not all come at once."""

from __future__ import annotations

from collections.abc import Callable
from random import random as uniform

__all__ = ["Backoff"]


class Backoff:
    """Waits that grow from one attempt to the next. Immutable, so one can be shared.

    Each is drawn evenly from nothing to a bound: `first` after the first failure, `factor` times as much after each
    further one, `longest` at most.

    Args:
        first, longest: seconds.
        factor: 1 for no growth.
        random: returns a number from 0 to 1.

    Raises:
        ValueError: a bound is negative, or growth would be decline.

    Source: RFC 6455 section 7.2.3.
    """

    __slots__ = ("first", "factor", "longest", "_random")

    def __init__(
        self,
        first: float = 3.0,
        factor: float = 1.6,
        longest: float = 60.0,
        random: Callable[[], float] = uniform,
    ) -> None:
        if not 0 <= first <= longest or factor < 1:
            raise ValueError("a backoff begins with `first` >= 0 seconds and grows by `factor` >= 1 up to `longest`")
        self.first = first
        self.factor = factor
        self.longest = longest
        self._random = random

    def bound(self, failures: int) -> float:
        """Return the longest wait after so many failures in a row, one or more."""
        try:
            return min(self.longest, self.first * self.factor ** (failures - 1))
        except OverflowError:
            return self.longest if self.first else 0.0

    def wait(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row."""
        return self._random() * self.bound(failures)
