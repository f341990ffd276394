"""The text of Server-Sent Events: how one event, a comment or a time to reconnect is written.

Source: HTML Living Standard, section 9.2.
"""

from __future__ import annotations

import re
from math import inf

__all__ = ["CONTENT_TYPE", "HEARTBEAT", "check_name", "format_event", "format_retry"]

CONTENT_TYPE = b"text/event-stream"
HEARTBEAT = b":\n\n"  # a comment that says nothing

_LINE_END = re.compile(r"\r\n|\n|\r")


def format_event(data: str, *, name: str | None = None, identity: str | None = None) -> bytes:
    """Return one event.

    Args:
        data: text of any number of lines; how a line ends is not kept.
        name: its type; None for `message`.
        identity: what the reader gives as Last-Event-ID when it comes back behind this event.

    Raises:
        ValueError: `name` or `identity` holds a line end, or `identity` a NUL; the standard has no way to send these.
        UnicodeEncodeError: a lone surrogate.
    """
    lines = []
    if identity is not None:
        if "\0" in identity or _LINE_END.search(identity):
            raise ValueError(f"an event's id holds neither line ends nor NUL: {identity!r}")
        lines.append(f"id: {identity}")
    if name is not None:
        check_name(name)
        lines.append(f"event: {name}")
    lines += [f"data: {line}" for line in _LINE_END.split(data)]
    return ("\n".join(lines) + "\n\n").encode()


def check_name(name: str) -> None:
    """Raise ValueError where an event cannot have that name."""
    if _LINE_END.search(name):
        raise ValueError(f"an event's name holds no line ends: {name!r}")


def format_retry(seconds: float) -> bytes:
    """Return what tells the reader how long to wait before it reconnects.

    Raises:
        ValueError: it is negative, or no finite number.
    """
    if not 0 <= seconds < inf:
        raise ValueError(f"nobody reconnects before it was cut off: {seconds!r}")
    return b"retry: %d\n\n" % round(seconds * 1000)
