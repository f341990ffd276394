"""Every bound a connection obeys, and every leniency, in one place.

Sizes are bytes, times are seconds, rates are bytes per second. A leniency is a named flag, off by default.
The defaults bound each phase of a connection, so that no peer can hold memory or a descriptor for free.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["Limits"]

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one connection. Immutable; `dataclasses.replace` makes a variant.

    Raises:
        ValueError: a bound is negative.
    """

    # Head
    request_line: int = 16 * KIB  # 414; for a CLIENT the bound of the status-line, 431
    field_line: int = 16 * KIB  # 431
    head: int = 64 * KIB  # 431; start-line and field section with their line ends
    fields: int = 100  # 431

    # Content
    buffered_content: int = 16 * MIB  # 413; what `body()` collects
    content: int | None = None  # 413; what a stream may carry in all
    chunk_line: int = 256  # 400; chunk-size with its extensions
    chunk_extensions: int = 16 * KIB  # 400; per body
    direct_content: int = 64 * KIB  # a known length above this is received straight into its final object

    # Time, reading
    handshake_timeout: float = 10.0  # TLS
    first_byte_timeout: float = 10.0
    head_timeout: float = 10.0  # a total, from the first byte
    content_timeout: float = 30.0  # between two reads
    content_rate: float = 1 * KIB  # minimum, after the grace below
    content_rate_grace: float = 10.0
    idle_timeout: float = 75.0  # between two exchanges

    # Time and size, writing
    write_timeout: float = 30.0  # no byte accepted for this long
    write_high_water: int = 64 * KIB
    write_low_water: int = 16 * KIB

    # Conversation
    pipelined: int = 64 * KIB  # unparsed bytes held behind a running exchange, then reading stops
    drained_content: int = 256 * KIB  # unread content skipped after the answer
    drain_timeout: float = 5.0

    # Leniencies
    half_close: bool = True  # False: end of input after a complete request counts as a disconnect

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and value < 0:
                raise ValueError(f"Limits.{field.name} must not be negative: {value!r}")
        if self.write_low_water > self.write_high_water:
            raise ValueError("Limits.write_low_water must not exceed write_high_water")
