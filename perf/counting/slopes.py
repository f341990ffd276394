"""From callgrind's dumps to what one piece of work costs."""

from __future__ import annotations

import re

__all__ = ["FEW", "MANY", "slopes"]

FEW, MANY = 20, 1020  # rounds of a case; what surrounds them is the same in both and cancels


def slopes(dumps: list[str]) -> dict[str, float]:
    """Return instructions per piece of work, by case, from the two dumps of each.

    Raises:
        RuntimeError: a case lacks one of its two.
    """
    counts: dict[str, dict[int, int]] = {}
    for dump in dumps:
        mark = re.search(r"^desc: Trigger: Client Request: (\w+) (\d+)$", dump, re.MULTILINE)
        total = re.search(r"^totals: (\d+)$", dump, re.MULTILINE)
        if mark and total:
            counts.setdefault(mark[1], {})[int(mark[2])] = int(total[1])
    if not counts:
        raise RuntimeError("nothing was counted")
    for name, numbers in counts.items():
        if numbers.keys() != {FEW, MANY}:
            raise RuntimeError(f"{name} was counted for {sorted(numbers)} rounds, not for {FEW} and {MANY}")
    return {name: (numbers[MANY] - numbers[FEW]) / (MANY - FEW) for name, numbers in sorted(counts.items())}
