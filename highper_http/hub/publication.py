# cython: annotation_typing=False
"""One message on its way to many: encoded, framed and compressed once for all who take it in the same form.

A form is a number that every subscriber has: EVENTS for who reads Server-Sent Events, PLAIN for a WebSocket without
compression, else the bits of the window that its side agreed on. Compression begins from an empty context and stays
within that window, so the same bytes are right for every socket of the form, whatever it was sent before.

A window larger than the message gains nothing: short messages are compressed once, in the smallest window that spans
them, for all who have at least that. What compression does not shorten is sent as it is.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Final

from highper_core.websocket import frame_message

from ..event_text import format_event

__all__ = ["EVENTS", "PLAIN", "Compression", "Publication", "form_of"]

EVENTS: Final = -1
PLAIN: Final = 0
LEAST_BITS: Final = 9  # zlib has no window of 2**8
MOST_BITS: Final = 15
LOOKAHEAD: Final = 262  # zlib finds no match farther back than its window less this


def form_of(window_bits: int | None) -> int:
    """Return the form that goes with a subscriber's `window_bits`."""
    if window_bits == EVENTS:
        return EVENTS
    return PLAIN if window_bits is None or window_bits < LEAST_BITS else window_bits


class Compression:
    """How a hub compresses for the sockets that agreed on it.

    Args:
        level: 1 to 9, as zlib has it.
        memory_level: 1 to 9, as zlib has it.
        threshold: messages of fewer bytes are sent as they are.

    Raises:
        ValueError: a value is out of range.
    """

    __slots__ = ("level", "memory_level", "threshold")

    def __init__(self, level: int = 6, memory_level: int = 8, threshold: int = 64) -> None:
        if not (1 <= level <= 9 and 1 <= memory_level <= 9 and threshold >= 0):
            raise ValueError(
                f"levels are from 1 to 9, a threshold is not negative: {level}, {memory_level}, {threshold}"
            )
        self.level = level
        self.memory_level = memory_level
        self.threshold = threshold


class Publication:
    """One message to one topic.

    Args:
        message: text or bytes.
        key: of messages of which only the newest matters to a slow socket whose policy is to conflate.
        name: the type of event it is to who reads events; None for `message`.
        identity: what a reader of events gives as Last-Event-ID to go on behind it; None where nothing is kept.
        compression: how it is compressed.
    """

    __slots__ = ("message", "key", "name", "identity", "place", "_compression", "_forms", "_size")

    def __init__(
        self,
        message: str | bytes,
        compression: Compression,
        key: str | None = None,
        name: str | None = None,
        identity: str | None = None,
    ) -> None:
        self.message = message
        self.key = key
        self.name = name
        self.identity = identity
        self.place = 0  # in the row of what the hub keeps
        self._compression = compression
        self._forms: dict[int, tuple[bytes, bool]] = {}
        self._size = len(message)

    def __len__(self) -> int:
        """Characters or bytes of the message."""
        return self._size

    def encoded(self, form: int) -> tuple[bytes, bool]:
        """Return what is sent to a subscriber of that form, and whether it is compressed.

        Cost: worked out at the first call for a form; no message has more than nine.
        """
        found = self._forms.get(form)
        if found is None:
            found = self._forms[form] = self._encode(form)
        return found

    def _encode(self, form: int) -> tuple[bytes, bool]:
        message = self.message
        if form == EVENTS:
            text = message if isinstance(message, str) else b64encode(message).decode("ascii")
            return format_event(text, name=self.name, identity=self.identity), False
        if form == PLAIN:
            return frame_message(message), False
        plain = self.encoded(PLAIN)
        compression = self._compression
        length = len(plain[0])
        if length < compression.threshold:
            return plain
        spanning = LEAST_BITS
        while spanning < form and (1 << spanning) - LOOKAHEAD < length:
            spanning += 1
        if spanning < form:
            return self.encoded(spanning)
        frames = frame_message(
            message, window_bits=form, level=compression.level, memory_level=compression.memory_level
        )
        return (frames, True) if len(frames) < length else plain
