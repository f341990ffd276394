"""Every bound a connection obeys, and every leniency, in one place.

Sizes are bytes, times are seconds, rates are bytes per second. A leniency is a named flag, off by default.
The defaults bound each phase of a connection, so that no peer can hold memory or a descriptor for free.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Limits"]

KIB = 1024
MIB = 1024 * KIB


class Limits:
    """Bounds of one connection. Immutable; `replace` makes a variant.

    Not a dataclass, because importing that machinery costs more than the rest of the core.

    Args:
        request_line: 414; for a CLIENT the bound of the status-line, 431.
        field_line: 431; one field.
        head: 431; start-line and field section with their line ends.
        fields: 431; field lines in a section.
        buffered_content: 413; what `body()` collects.
        content: 413; what a stream may carry in all, None for any amount.
        chunk_line: 400; chunk-size with its extensions.
        chunk_extensions: 400; per body.
        direct_content: a known length above this is received straight into its final object.
        handshake_timeout: TLS.
        first_byte_timeout: a fresh connection.
        head_timeout: 408; a total, from the first byte.
        content_timeout: 408; between two reads.
        content_rate: 408; minimum, after `content_rate_grace`; 0 for none.
        content_rate_grace: seconds before the rate counts.
        idle_timeout: between two exchanges.
        write_timeout: no byte accepted for this long.
        write_high_water, write_low_water: when a writer is held up, and until when.
        pipelined: unparsed bytes held behind a running exchange, then reading stops.
        drained_content: unread content skipped after the answer.
        drain_timeout: how long that may take.
        half_close: False: end of input after a complete request counts as a disconnect.
        websocket_frame: 1009; payload of one frame, None for any within a message.
        websocket_message: 1009; one message, inflated, in UTF-8 if it is text; None for any amount.
        websocket_pongs: answers to Pings that wait to be written; above it only the newest Ping is answered.
        websocket_handshake_timeout: until a server has answered the opening handshake.
        websocket_close_timeout: until the peer has answered our Close, and closed.
        websocket_ping_interval: silence before the peer is sent a Ping, None for never.
        websocket_ping_timeout: 1011; silence after it.
        websocket_idle_timeout: 1001; no message either way, None for any time.
        websocket_received: messages that came and were not taken, then reading stops.
        websocket_receive_queue: bytes they may take, likewise.
        websocket_send_queue: bytes that wait for a slow peer, then the socket's policy decides.

    Raises:
        ValueError: a bound is negative, or the low water mark above the high one.
    """

    request_line: int
    field_line: int
    head: int
    fields: int
    buffered_content: int
    content: int | None
    chunk_line: int
    chunk_extensions: int
    direct_content: int
    handshake_timeout: float
    first_byte_timeout: float
    head_timeout: float
    content_timeout: float
    content_rate: float
    content_rate_grace: float
    idle_timeout: float
    write_timeout: float
    write_high_water: int
    write_low_water: int
    pipelined: int
    drained_content: int
    drain_timeout: float
    half_close: bool
    websocket_frame: int | None
    websocket_message: int | None
    websocket_pongs: int
    websocket_handshake_timeout: float
    websocket_close_timeout: float
    websocket_ping_interval: float | None
    websocket_ping_timeout: float
    websocket_idle_timeout: float | None
    websocket_received: int
    websocket_receive_queue: int
    websocket_send_queue: int

    def __init__(
        self,
        *,
        request_line: int = 16 * KIB,
        field_line: int = 16 * KIB,
        head: int = 64 * KIB,
        fields: int = 100,
        buffered_content: int = 16 * MIB,
        content: int | None = None,
        chunk_line: int = 256,
        chunk_extensions: int = 16 * KIB,
        direct_content: int = 64 * KIB,
        handshake_timeout: float = 10.0,
        first_byte_timeout: float = 10.0,
        head_timeout: float = 10.0,
        content_timeout: float = 30.0,
        content_rate: float = 1 * KIB,
        content_rate_grace: float = 10.0,
        idle_timeout: float = 75.0,
        write_timeout: float = 30.0,
        write_high_water: int = 64 * KIB,
        write_low_water: int = 16 * KIB,
        pipelined: int = 64 * KIB,
        drained_content: int = 256 * KIB,
        drain_timeout: float = 5.0,
        half_close: bool = True,
        websocket_frame: int | None = None,
        websocket_message: int | None = 1 * MIB,
        websocket_pongs: int = 16 * KIB,
        websocket_handshake_timeout: float = 10.0,
        websocket_close_timeout: float = 10.0,
        websocket_ping_interval: float | None = 20.0,
        websocket_ping_timeout: float = 20.0,
        websocket_idle_timeout: float | None = None,
        websocket_received: int = 16,
        websocket_receive_queue: int = 1 * MIB,
        websocket_send_queue: int = 64 * KIB,
    ) -> None:
        given = locals()
        for name in self.__slots__:
            value = given[name]
            if value is not None and value < 0:
                raise ValueError(f"Limits.{name} must not be negative: {value!r}")
            object.__setattr__(self, name, value)
        if write_low_water > write_high_water:
            raise ValueError("Limits.write_low_water must not exceed write_high_water")

    __slots__ = tuple(__init__.__kwdefaults__ or ())

    def replace(self, **changes: Any) -> Limits:
        """Return these limits with some changed."""
        return Limits(**{name: getattr(self, name) for name in self.__slots__} | changes)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("Limits are immutable; replace() makes a variant")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("Limits are immutable; replace() makes a variant")

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, ({name: getattr(self, name) for name in self.__slots__},)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Limits):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in self.__slots__))

    def __repr__(self) -> str:
        changed = (name for name in self.__slots__ if getattr(self, name) != getattr(_DEFAULT, name))
        return f"Limits({', '.join(f'{name}={getattr(self, name)!r}' for name in changed)})"


def _restore(values: dict[str, Any]) -> Limits:
    return Limits(**values)


_DEFAULT = Limits()
