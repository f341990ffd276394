# cython: annotation_typing=False
"""The Date field, formatted once per second (RFC 9110 section 6.6.1)."""

from __future__ import annotations

from email.utils import formatdate

from ._native import clock_second

__all__ = ["http_date"]

_second = 0
_value = b""


def http_date() -> bytes:
    """Return now as an IMF-fixdate; the same object for all calls within one second."""
    global _second, _value
    now = clock_second()
    if now != _second:
        _value = formatdate(now, usegmt=True).encode("ascii")
        _second = now
    return _value
