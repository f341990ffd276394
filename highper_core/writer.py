"""From events to bytes: heads, chunks, trailers, and the framing that a head of ours announces.

Every engine writes through here, or writes the same bytes. Names and values go out as given, after each was judged;
fields the protocol owes are added behind them in lower case: `content-length` or `transfer-encoding`, then
`connection: close`. Nothing is raised: a `Head` whose fault is not NONE was not written.

What a response without framing fields gets: its length when the whole content is at hand, else the chunked coding for
an HTTP/1.1 peer, else the end of the connection. An answer to HEAD gets the fields that GET would have.

Source: RFC 9110 sections 6.4, 8.6, 9.3.2 and 9.3.6; RFC 9112 sections 3 to 7 and 9.6.
"""

from __future__ import annotations

from typing import Final

from . import grammar
from .errors import Fault
from .events import InformationalResponse, Request, Response
from .fields import Fields
from .framing import FORBIDDEN_TRAILERS, Decision, Framing, decide_request, decide_response
from .status import forbids_content, status_line

__all__ = [
    "FORBIDDEN",
    "LAST_CHUNK",
    "UNKNOWN",
    "ContentWriter",
    "Head",
    "trailer_section",
    "write_request",
    "write_response",
]

UNKNOWN: Final = -1
FORBIDDEN: Final = -2
LAST_CHUNK: Final = b"0\r\n\r\n"

_CHUNKED: Final = b"transfer-encoding: chunked\r\n"
_CLOSE: Final = b"connection: close\r\n"
_ANTICIPATES_CONTENT: Final = (b"POST", b"PUT", b"PATCH")  # RFC 9110 section 8.6


class Head:
    """A head of ours, judged and framed.

    Attributes:
        fault: why it may not be sent; when it is not NONE, the rest means nothing.
        data: start-line, fields and the empty line.
        framing: how its content is to be framed on the wire.
        length: bytes of content that must follow, -1 when not known in advance.
        droppable: bytes of content that may be given and are not written (answers to HEAD): a number, UNKNOWN for any,
            FORBIDDEN for none at all.
        keep_alive: the connection may persist after it.
        upgrade_proposed: the request proposes an upgrade.
    """

    __slots__ = ("fault", "data", "framing", "length", "droppable", "keep_alive", "upgrade_proposed")

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.data = b""
        self.framing = Framing.NONE
        self.length = 0
        self.droppable = FORBIDDEN
        self.keep_alive = True
        self.upgrade_proposed = False


class _FieldValues:
    """The values that framing looks at, and the written field lines."""

    __slots__ = ("fault", "lines", "values")

    def __init__(self, headers: Fields) -> None:
        self.fault = Fault.NONE
        self.lines: list[bytes] = []
        self.values: dict[bytes, list[bytes]] = {}
        for name, value in headers.lines():
            self.fault = grammar.field_fault(name, value)
            if self.fault:
                return
            self.lines.append(b"%b: %b\r\n" % (name, value))
            self.values.setdefault(name.lower(), []).append(value.strip(b" \t"))

    def of(self, name: bytes) -> list[bytes]:
        return self.values.get(name, [])

    def without(self, name: bytes) -> None:
        """Leave out the field lines called `name`, of which there is one at least."""
        del self.values[name]
        self.lines = [line for line in self.lines if line.partition(b":")[0].lower() != name]


def write_request(request: Request, content_length: int = UNKNOWN) -> Head:
    """Write the head of a request.

    Args:
        request: the event; its version is not looked at, HTTP/1.1 is written.
        content_length: bytes of content when all of it is at hand, else UNKNOWN; then a request without framing
            fields has none.
    """
    fault = grammar.request_line_fault(request.method, request.target, b"HTTP/1.1")
    if fault:
        return Head(fault)
    fields = _FieldValues(request.headers)
    if fields.fault:
        return Head(fields.fault)
    decision = decide_request(
        request.method,
        b"1.1",
        fields.of(b"host"),
        fields.of(b"content-length"),
        fields.of(b"transfer-encoding"),
        fields.of(b"connection"),
        fields.of(b"expect"),
        fields.of(b"upgrade"),
    )
    if decision.fault:
        return Head(decision.fault)
    if content_length >= 0 and b"content-length" not in fields.values and decision.framing != Framing.CHUNKED:
        if content_length and request.method == b"CONNECT":
            return Head(Fault.CONTENT_FORBIDDEN)
        if content_length or request.method in _ANTICIPATES_CONTENT:
            fields.lines.append(b"content-length: %d\r\n" % content_length)
            decision.framing = Framing.KNOWN_LENGTH
            decision.length = content_length
    line = b"%b %b HTTP/1.1\r\n" % (request.method, request.target)
    return _head(decision, line, fields)


def write_response(
    response: Response | InformationalResponse,
    request_method: bytes,
    peer_version: bytes,
    keep_alive: bool,
    upgrade_proposed: bool,
    content_length: int = UNKNOWN,
) -> Head:
    """Write the head of a response, interim or final.

    Args:
        response: the event; its version is not looked at, HTTP/1.1 is written.
        request_method: of the request it answers; b"" when that could not be read.
        peer_version: of that request; b"1.0" when it could not be read, so that nothing newer is assumed.
        keep_alive: the connection persists so far.
        upgrade_proposed: that request proposed an upgrade, so a 101 may be sent.
        content_length: bytes of content when all of it is at hand, else UNKNOWN.
    """
    status = response.status_code
    interim = isinstance(response, InformationalResponse)
    if not (100 <= status < 200 if interim else 200 <= status <= 999):
        return Head(Fault.STATUS_INVALID)
    if response.reason is not None and not grammar.is_field_value(response.reason):
        return Head(Fault.REASON_INVALID)
    if interim and (peer_version == b"1.0" or (status == 101 and not upgrade_proposed)):
        return Head(Fault.EVENT_ILLEGAL)
    fields = _FieldValues(response.headers)
    if fields.fault:
        return Head(fields.fault)
    if peer_version == b"1.0" and fields.of(b"transfer-encoding") and not fields.of(b"content-length"):
        fields.without(b"transfer-encoding")  # the peer cannot read it: the end of the connection ends the content
    tunnel = request_method == b"CONNECT" and 200 <= status < 300
    bodiless = tunnel or forbids_content(status)
    if fields.of(b"content-length") and (tunnel or interim or status == 204):
        return Head(Fault.CONTENT_FORBIDDEN)
    # Judged as an answer to GET, so that the fields of an answer to HEAD are those that GET would have.
    method = b"GET" if request_method == b"HEAD" else request_method
    decision = decide_response(
        method,
        status,
        b"1.1",
        fields.of(b"content-length"),
        fields.of(b"transfer-encoding"),
        fields.of(b"connection"),
        fields.of(b"upgrade"),
        upgrade_proposed,
    )
    if decision.fault:
        return Head(decision.fault)
    if bodiless:
        if content_length > 0:
            return Head(Fault.CONTENT_FORBIDDEN)
    elif decision.framing == Framing.CLOSE_DELIMITED:
        _choose_framing(decision, fields, peer_version, content_length)
    closing = b"close" in grammar.list_elements(fields.of(b"connection"))
    if interim or tunnel:
        decision.keep_alive = True  # they say nothing about persistence
    else:
        decision.keep_alive = keep_alive and not closing and decision.framing != Framing.CLOSE_DELIMITED
        if not decision.keep_alive and not closing:
            fields.lines.append(_CLOSE)
    head = _head(decision, status_line(status, response.reason), fields)
    if request_method == b"HEAD" and not bodiless:
        head.framing = Framing.NONE
        head.droppable = head.length
        head.length = 0
    return head


def _choose_framing(decision: Decision, fields: _FieldValues, peer_version: bytes, content_length: int) -> None:
    if content_length >= 0:
        decision.framing = Framing.KNOWN_LENGTH
        decision.length = content_length
        fields.lines.append(b"content-length: %d\r\n" % content_length)
    elif peer_version != b"1.0":
        decision.framing = Framing.CHUNKED
        fields.lines.append(_CHUNKED)


def _head(decision: Decision, line: bytes, fields: _FieldValues) -> Head:
    head = Head(Fault.NONE)
    head.data = b"%b%b\r\n" % (line, b"".join(fields.lines))
    head.framing = decision.framing
    head.length = decision.length
    head.keep_alive = decision.keep_alive
    head.upgrade_proposed = decision.upgrade_proposed
    return head


def trailer_section(headers: Fields) -> tuple[Fault, bytes]:
    """Return the last chunk with its trailer section."""
    if not len(headers):
        return Fault.NONE, LAST_CHUNK
    fields = _FieldValues(headers)
    if not fields.fault and not FORBIDDEN_TRAILERS.isdisjoint(fields.values):
        return Fault.TRAILER_FORBIDDEN, b""
    return fields.fault, b"0\r\n%b\r\n" % b"".join(fields.lines)


class ContentWriter:
    """Frames the content that follows a head, and holds it to what the head promised.

    Each call either frames its argument into `out` or returns a fault and changes nothing.

    Args:
        head: the head that went before.
    """

    __slots__ = ("framing", "remaining", "droppable")

    def __init__(self, head: Head) -> None:
        self.framing = head.framing
        self.remaining = head.length
        self.droppable = head.droppable

    def data(self, data: bytes, out: list[bytes]) -> Fault:
        """Frame a piece of content; an empty one writes nothing."""
        length = len(data)
        if not length:
            return Fault.NONE
        fault = self._account(length)
        if fault or self.framing == Framing.NONE:
            return fault
        if self.framing == Framing.CHUNKED:
            out.append(b"%x\r\n" % length)
            out.append(data)
            out.append(b"\r\n")
        else:
            out.append(data)
        return Fault.NONE

    def file(self, length: int) -> Fault:
        """Account for content that the caller moves itself; only where the head told its length."""
        if self.framing != Framing.KNOWN_LENGTH or length < 0:
            return Fault.EVENT_ILLEGAL
        return self._account(length)

    def end(self, headers: Fields, out: list[bytes]) -> Fault:
        """Frame the end of the message.

        Trailers need the chunked coding. Where there is none because of the peer's version or method they are judged
        and dropped, as RFC 9110 section 6.5.2 allows.
        """
        if self.framing == Framing.KNOWN_LENGTH:
            if self.remaining:
                return Fault.CONTENT_LENGTH_MISMATCH
            return Fault.EVENT_ILLEGAL if len(headers) else Fault.NONE
        fault, written = trailer_section(headers)
        if not fault and self.framing == Framing.CHUNKED:
            out.append(written)
        return fault

    def _account(self, length: int) -> Fault:
        if self.framing == Framing.KNOWN_LENGTH:
            if length > self.remaining:
                return Fault.CONTENT_LENGTH_MISMATCH
            self.remaining -= length
        elif self.framing == Framing.NONE:
            if self.droppable == FORBIDDEN:
                return Fault.CONTENT_FORBIDDEN
            if self.droppable != UNKNOWN:
                if length > self.droppable:
                    return Fault.CONTENT_LENGTH_MISMATCH
                self.droppable -= length
        return Fault.NONE
