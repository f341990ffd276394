"""What a segment of a path can be, and the value it then has.

A kind that is narrower has the lower number. Conversions are bounded: those of numbers take more than linear time.
"""

from __future__ import annotations

import math
import re
from enum import IntEnum
from typing import Final
from uuid import UUID

from .. import percent

__all__ = ["Kind", "classify", "convert"]


class Kind(IntEnum):
    """What a segment of a pattern matches, in order of precedence."""

    STATIC = 0
    INT = 1
    FLOAT = 2
    UUID = 3
    STR = 4
    REST = 5


_UUID: Final = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_FLOAT: Final = re.compile(rb"-?[0-9]{1,400}\.[0-9]{1,400}\Z")
_INT_DIGITS: Final = 39  # those of 2**128; conversion is quadratic beyond
_FLOAT_DIGITS: Final = 400


def classify(segment: bytes) -> int:
    """Return the narrowest parameter kind that `segment`, not empty and normalised, belongs to.

    An int is also a float, and everything is also a str.
    """
    first = segment[0]
    if first > 57 and len(segment) != 36:  # neither a digit nor a sign
        return 4
    digits = segment[1:] if first == 45 else segment
    if digits.isdigit():
        if len(digits) <= _INT_DIGITS:
            return 1
        return 2 if len(digits) <= _FLOAT_DIGITS and math.isfinite(float(segment)) else 4
    if len(segment) == 36 and _UUID.match(segment):
        return 3
    if _FLOAT.match(segment) and math.isfinite(float(segment)):
        return 2
    return 4


def convert(kind: Kind | int, segment: bytes) -> object:
    """Return the value of a parameter whose segment was classified as `kind` or narrower.

    Raises:
        ValueError: malformed percent-encoding, or not UTF-8.
    """
    if kind >= 4:
        return percent.decode_text(segment) if b"%" in segment else segment.decode("utf-8")
    if kind == 1:
        return int(segment)
    return float(segment) if kind == 2 else UUID(segment.decode())
