"""Which of several media types a client would rather have (RFC 9110 section 12.5.1).

An element of an Accept field that is malformed is passed over, as is everything after the first 4 KiB or 64 elements:
who sends more says nothing by it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from .headers import parse_parameters

__all__ = ["MediaRange", "parse_accept", "preferred"]

_BYTES: Final = 4096
_ELEMENTS: Final = 64
_ELEMENT: Final = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*+"?)++', re.DOTALL)  # an unclosed quote runs to the end
_RANGE: Final = re.compile(r"(?:\*/\*|[!#$%&'*+\-.^_`|~0-9a-z]+/(?:\*|[!#$%&'*+\-.^_`|~0-9a-z]+))\Z")
_WEIGHT: Final = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\Z")


class MediaRange(NamedTuple):
    """One element of an Accept field."""

    kind: str  # type/subtype, lower case, either of which may be *
    parameters: dict[str, str]
    weight: int  # thousandths

    def fit(self, offer: str, parameters: dict[str, str]) -> int:
        """Return how closely this range names `offer`: 0 for not at all, higher for closer."""
        if self.kind == "*/*":
            return 1
        if self.kind.endswith("/*"):
            return 2 if offer.startswith(self.kind[:-1]) else 0
        if offer != self.kind or not self.parameters.items() <= parameters.items():
            return 0
        return 3 + len(self.parameters)


def parse_accept(value: str) -> list[MediaRange]:
    """Return the well-formed elements of an Accept field, in order.

    Cost: linear.
    """
    ranges = []
    for element in _ELEMENT.findall(value[:_BYTES])[:_ELEMENTS]:
        kind, parameters = parse_parameters(element)
        weight = parameters.pop("q", "1")
        if _RANGE.match(kind) and _WEIGHT.match(weight):
            ranges.append(MediaRange(kind, parameters, round(float(weight) * 1000)))
    return ranges


def preferred(accept: str | None, offers: Sequence[str]) -> str | None:
    """Return the offer a client would rather have, the first of equals, or None when it takes none.

    Args:
        accept: value of the Accept field; None or nothing well-formed in it means anything.
        offers: media types, the server's own preference first.

    Source: RFC 9110 section 12.5.1: the most specific range that fits an offer gives its weight.
    """
    ranges = parse_accept(accept) if accept else []
    if not ranges:
        return offers[0] if offers else None
    best, best_weight = None, 0
    for offer in offers:
        kind, parameters = parse_parameters(offer)
        fit, weight = max([(each.fit(kind, parameters), each.weight) for each in ranges])
        if fit and weight > best_weight:
            best, best_weight = offer, weight
    return best
