"""What must hold for any bytes at all: the oracles, strongest first.

a. Any fragmentation of the same bytes gives the same reading.
b. Accepted input, printed back and parsed again, gives the same events.
c. Where h11, llhttp and we all accept, method, target, fields and content agree; where we accept and both of the
   others refuse, it is a find.
d. Only the documented exception leaves the parser. It holds by construction: `readings.read` catches nothing else.
e. Steps and bytes held are bounded by the length of the input.

And across the engines: fast and portable give the same reading.

Each oracle is a function that returns None or raises `AssertionError` with the two sides that differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import readers
from readings import Reading, pieces_of, read

from highper_core import (
    ConnectionClosed,
    Data,
    EndOfMessage,
    Event,
    Fault,
    InformationalResponse,
    Limits,
    Request,
    Response,
    Role,
    State,
)

__all__ = [
    "check_agreement",
    "check_bounds",
    "check_engines",
    "check_fragmentation",
    "check_order",
    "check_reprint",
    "printed",
]


def check_fragmentation(whole: Reading, cut: Reading) -> None:
    """Oracle a: `cut` is a reading of the bytes of `whole` in other pieces."""
    _same("fragmentation", whole, cut)


def check_engines(fast: Reading, portable: Reading) -> None:
    """Both engines made the same of the same bytes."""
    _same("engines", fast, portable)


def check_reprint(reading: Reading, role: Role, engine: str, *, switch: bool = False, asked: bytes = b"GET") -> None:
    """Oracle b: the messages that were accepted whole, printed by `printed`, read as the same events."""
    accepted = _accepted(reading.events)
    if not accepted:
        return
    again = read(role, engine, [printed(accepted)], end=False, switch=switch, asked=asked)
    assert again.fault is Fault.NONE, ("reprint refused", again.fault, printed(accepted))
    assert list(again.events) == accepted, ("reprint differs", accepted, again.events)


def check_agreement(data: bytes, reading: Reading) -> None:
    """Oracle c, for requests: `data` as h11 and llhttp read it, against our reading of it."""
    ours = readers.messages_of(reading.events)
    by_h11, by_llhttp = readers.read_h11(data), readers.read_httptools(data)
    for index, message in enumerate(ours):
        readings_of_others = [other[index] for other in (by_h11, by_llhttp) if index < len(other)]
        if not readings_of_others:
            assert readers.is_known_difference(data, ours), ("accepted by us alone", message)
            return
        for other in readings_of_others:
            if len(readings_of_others) == 2:
                assert message == other, ("read differently", message, other)


def check_bounds(data: bytes, reading: Reading, pieces: int, limits: Limits) -> None:
    """Oracle e: no more steps than bytes and pieces allow, and no content that did not arrive or passes the bound."""
    assert reading.steps <= 2 * len(data) + 4 * pieces + 8, ("steps", reading.steps, len(data), pieces)
    content = sum(len(event.data) for event in reading.events if type(event) is Data)
    assert content <= len(data), ("content", content, len(data))
    if limits.content is not None:
        for event in reading.events:
            assert type(event) is not Data or len(event.data) <= limits.content, ("limit", event)


def check_order(reading: Reading, role: Role) -> None:
    """Events come as messages: a head, at most one run of content, its end; the length announced is the length seen."""
    expected: type[Event] | None = None
    announced, seen = -1, 0
    for event in reading.events:
        kind = type(event)
        if kind in (Request, Response):
            assert expected is None, ("a head inside a message", reading.events)
            assert kind is (Request if role is Role.SERVER else Response), event
            announced, seen, expected = getattr(event, "content_length", -1), 0, EndOfMessage
        elif kind is Data:
            assert expected is EndOfMessage, ("content outside a message", reading.events)
            assert isinstance(event, Data)
            seen += len(event.data)
        elif kind is EndOfMessage:
            assert expected is EndOfMessage, ("an end without a head", reading.events)
            assert announced in (-1, seen), ("length", announced, seen)
            expected = None
        elif kind is InformationalResponse:
            assert role is Role.CLIENT, event
            assert expected is None, event
        else:
            assert kind is ConnectionClosed, event
            assert event is reading.events[-1], ("events after the close", reading.events)
    if reading.fault:
        their_state = reading.states[1]
        assert their_state is State.ERROR, ("fault without ERROR", reading)


def printed(events: Sequence[Event]) -> bytes:
    """Return messages as bytes, in the plainest spelling; written apart from the writer it helps to judge."""
    out: list[bytes] = []
    chunked = False
    for event in events:
        if isinstance(event, Request):
            out.append(b"%s %s HTTP/%s\r\n" % (event.method, event.target, event.http_version))
        elif isinstance(event, (InformationalResponse, Response)):
            out.append(b"HTTP/%s %d %s\r\n" % (event.http_version, event.status_code, event.reason or b""))
        if isinstance(event, (Request, Response, InformationalResponse)):
            chunked = any(name.lower() == b"transfer-encoding" for name, _ in event.headers) and not _is_bare(event)
            out.append(_fields(event.headers))
        elif isinstance(event, Data):
            out.append(b"%x\r\n%s\r\n" % (len(event.data), event.data) if chunked else bytes(event.data))
        elif isinstance(event, EndOfMessage) and chunked:
            out.append(b"0\r\n" + _fields(event.headers))
    return b"".join(out)


def every_way(data: bytes) -> list[list[bytes]]:
    """Return the cuts of short `data` that matter most: whole, byte by byte, and in two at each offset."""
    halves = [pieces_of(data, [cut]) for cut in range(1, len(data))]
    return [[data], pieces_of(data, range(len(data))), *halves]


def _fields(lines: Sequence[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%s: %s\r\n" % line for line in lines) + b"\r\n"


def _is_bare(head: Event) -> bool:
    """Say whether no content follows `head`, whatever its fields announce (RFC 9112 section 6.3)."""
    return isinstance(head, Response) and head.status_code in (204, 304)


def _accepted(events: Sequence[Event]) -> list[Event]:
    """Return the events up to the last end of a message."""
    ends = [index for index, event in enumerate(events) if type(event) is EndOfMessage]
    return list(events[: ends[-1] + 1]) if ends else []


def _same(oracle: str, one: Reading, other: Reading) -> None:
    for name in ("fault", "events", "states", "written", "trailing"):
        left, right = getattr(one, name), getattr(other, name)
        assert left == right, (oracle, name, left, right)
