"""The gate before a reader that is too forgiving: it only refuses.

Bytes wait here until they were judged; `admit` then hands them on unchanged, and what it hands on is a whole head, a
chunk line, a run of content, or a whole trailer section. Events and framing come from the reader behind. A line is
judged when its LF has arrived: first its length, then its end, then what it says; a line that is too long is refused
as soon as that is certain. The verdict is therefore the same however the bytes were cut.

One liberty: a single empty line before a request-line is dropped (RFC 9112 section 2.2).

Source: RFC 9112 sections 2 to 7, by way of `grammar` and `framing`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from .. import framing, grammar
from ..errors import Fault
from ..framing import UNLIMITED, Decision, Framing
from ..limits import Limits
from ..state import Role

__all__ = ["Expected", "StrictGate"]

_DECISIVE: Final = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade")
)  # the fields that `framing` looks at
_CR: Final = 0x0D


class Expected(IntEnum):
    """What the next byte belongs to."""

    NOTHING = 0
    START_LINE = 1
    FIELD_LINE = 2
    CONTENT = 3
    CHUNK_LINE = 4
    CHUNK_DATA = 5
    CHUNK_END = 6
    TRAILER_LINE = 7
    UNTIL_CLOSE = 8


class StrictGate:
    """Judges the bytes of one peer.

    Args:
        role: our side; a SERVER judges requests, a CLIENT responses.
        limits: bounds it holds the peer to.

    Attributes:
        expected: what the next byte belongs to.
        fault: the rule that was broken; nothing is admitted from then on.
        decision: what the last head amounts to.
        remaining: bytes of known-length content, or of the chunk, not yet admitted.
        skipped: an empty line was dropped before the start-line.
    """

    def __init__(self, role: Role, limits: Limits) -> None:
        self.role = role
        self.limits = limits
        self.expected = Expected.NOTHING
        self.fault = Fault.NONE
        self.decision = Decision()
        self.remaining = 0
        self.skipped = False
        self._buffer = bytearray()
        self._line = 0  # offset of the line being read
        self._scanned = 0  # no LF before this offset, from `_line` on
        self._size = 0  # of the section so far, line ends included
        self._fields = 0
        self._extensions = 0
        self._content = 0
        self._start: tuple[bytes, bytes, int] = (b"", b"", 0)  # method, version, status code
        self._values: dict[bytes, list[bytes]] = {}
        self._request_method = b""
        self._upgrade_proposed = False

    def __len__(self) -> int:
        return len(self._buffer)

    def waiting(self) -> bytes:
        """Return the bytes that were not admitted."""
        return bytes(self._buffer)

    @property
    def coding(self) -> bytes:
        """Value of the last head's Transfer-Encoding as received; empty when there was none."""
        return b"".join(self._values.get(b"transfer-encoding", ()))

    def receive(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes; after a fault they are dropped."""
        if not self.fault:
            self._buffer += data

    def expect_head(self, request_method: bytes = b"", upgrade_proposed: bool = False) -> None:
        """Expect a message.

        Args:
            request_method: for a CLIENT, of the request that is to be answered.
            upgrade_proposed: for a CLIENT, a 101 may come.
        """
        self.expected = Expected.START_LINE
        self._request_method = request_method
        self._upgrade_proposed = upgrade_proposed
        self.skipped = False
        self._values = {}
        self._extensions = 0
        self._content = 0
        self._size = self._fields = 0

    def account(self, length: int) -> None:
        """Account for known-length content, more than none, that did not come through here."""
        self.remaining -= length
        if not self.remaining:
            self.expected = Expected.NOTHING

    def admit(self) -> bytes:
        """Return the next bytes the reader may see; empty when more must arrive first, or on a fault."""
        expected = self.expected
        if self.fault or not self._buffer or expected is Expected.NOTHING:
            return b""
        if expected is Expected.CONTENT:
            return self._admit_content(Expected.NOTHING)
        if expected is Expected.CHUNK_DATA:
            return self._admit_content(Expected.CHUNK_END)
        if expected is Expected.CHUNK_LINE:
            return self._admit_chunk_line()
        if expected is Expected.CHUNK_END:
            return self._admit_chunk_end()
        if expected is Expected.UNTIL_CLOSE:
            return self._admit_until_close()
        return self._admit_section()

    # Sections: a head, or trailers

    def _admit_section(self) -> bytes:
        while (line := self._next_line()) is not None:
            if self.expected is Expected.START_LINE:
                self.fault = self._judge_start_line(line)
            elif line:
                self.fault = self._judge_field_line(line)
            else:
                return self._end_section()
            if self.fault:
                break
        return b""

    def _end_section(self) -> bytes:
        if self.expected is Expected.TRAILER_LINE:
            self.expected = Expected.NOTHING
            return self._take(self._line)
        self.fault = self._judge_head()
        return b"" if self.fault else self._take(self._line)

    def _judge_start_line(self, line: bytes) -> Fault:
        if self.role is Role.CLIENT:
            fault, status_code, _, version = grammar.parse_status_line(line)
            self._start = (b"", version, status_code)
        elif not line and not self.skipped:
            self.skipped = True
            self._size = 0
            self._take(self._line)
            return Fault.NONE
        else:
            fault, method, _, version = grammar.parse_request_line(line)
            self._start = (method, version, 0)
        self.expected = Expected.FIELD_LINE
        return fault

    def _judge_field_line(self, line: bytes) -> Fault:
        self._fields += 1
        if self._fields > self.limits.fields:
            return Fault.TOO_MANY_FIELDS
        fault, name, value = grammar.parse_field_line(line)
        if not fault and self.expected is Expected.TRAILER_LINE and name in framing.FORBIDDEN_TRAILERS:
            return Fault.TRAILER_FORBIDDEN
        if name in _DECISIVE:
            self._values.setdefault(name, []).append(value)
        return fault

    def _judge_head(self) -> Fault:
        method, version, status_code = self._start
        values = self._values
        lengths = values.get(b"content-length", [])
        codings = values.get(b"transfer-encoding", [])
        connections, upgrades = values.get(b"connection", []), values.get(b"upgrade", [])
        limit = UNLIMITED if self.limits.content is None else self.limits.content
        if self.role is Role.SERVER:
            hosts, expectations = values.get(b"host", []), values.get(b"expect", [])
            decision = framing.decide_request(
                method, version, hosts, lengths, codings, connections, expectations, upgrades, limit
            )
        else:
            proposed = self._upgrade_proposed
            decision = framing.decide_response(
                self._request_method, status_code, version, lengths, codings, connections, upgrades, proposed, limit
            )
        self.decision = decision
        self.remaining = 0
        if decision.framing is Framing.CHUNKED:
            self.expected = Expected.CHUNK_LINE
        elif decision.framing is Framing.CLOSE_DELIMITED:
            self.expected = Expected.UNTIL_CLOSE
        else:
            self.remaining = decision.length
            self.expected = Expected.CONTENT if decision.length else Expected.NOTHING
        return decision.fault

    # Content

    def _admit_content(self, after: Expected) -> bytes:
        data = self._take(self.remaining)
        self.remaining -= len(data)
        if not self.remaining:
            self.expected = after
        return data

    def _admit_until_close(self) -> bytes:
        limit = self.limits.content
        if limit is None:
            return self._take(len(self._buffer))
        data = self._take(limit - self._content)
        self._content += len(data)
        if not data:
            self.fault = Fault.CONTENT_TOO_LARGE
        return data

    def _admit_chunk_line(self) -> bytes:
        line = self._next_line()
        if line is None:
            return b""
        fault, size, extensions = grammar.parse_chunk_line(line)
        self._extensions += extensions
        self._content += size
        limit = self.limits.content
        if fault:
            self.fault = fault
        elif self._extensions > self.limits.chunk_extensions:
            self.fault = Fault.CHUNK_EXTENSIONS_TOO_LARGE
        elif limit is not None and self._content > limit:
            self.fault = Fault.CONTENT_TOO_LARGE
        if self.fault:
            return b""
        self.remaining = size
        self.expected = Expected.CHUNK_DATA if size else Expected.TRAILER_LINE
        self._size = self._fields = 0
        return self._take(self._line)

    def _admit_chunk_end(self) -> bytes:
        end = bytes(self._buffer[:2])
        if not b"\r\n".startswith(end):
            self.fault = Fault.CHUNK_DATA_UNTERMINATED
        if end != b"\r\n":
            return b""
        self.expected = Expected.CHUNK_LINE
        return self._take(2)

    # Lines

    def _take(self, length: int) -> bytes:
        data = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._line = self._scanned = 0
        return data

    def _next_line(self) -> bytes | None:
        """Return the next line without its CRLF, its length and end judged, or None."""
        buffer = self._buffer
        end = buffer.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(buffer)
            length = len(buffer) - self._line
            if length and buffer[-1] == _CR:
                length -= 1
            self.fault = self._length_fault(length)
            return None
        line = bytes(buffer[self._line : end])
        self._line = self._scanned = end + 1
        content = line.removesuffix(b"\r")
        self.fault = self._length_fault(len(content))
        if not self.fault and (len(content) == len(line) or b"\r" in content):
            self.fault = Fault.LINE_ENDING_INVALID
        if self.fault:
            return None
        self._size += len(content) + 2
        return content

    def _length_fault(self, length: int) -> Fault:
        """Judge a line that has at least `length` bytes before its CRLF. The empty line always passes."""
        limits = self.limits
        expected = self.expected
        if expected is Expected.CHUNK_LINE:
            return Fault.CHUNK_LINE_TOO_LONG if length > limits.chunk_line else Fault.NONE
        start = expected is Expected.START_LINE
        own = limits.request_line if start else limits.field_line
        rest = limits.head - self._size - 2
        if not length or (length <= own and length <= rest):
            return Fault.NONE
        # A growing line passes the nearer bound first: so it is judged, whole or in pieces.
        if own <= rest and not (start and self.role is Role.CLIENT):
            return Fault.REQUEST_LINE_TOO_LONG if start else Fault.FIELD_TOO_LONG
        return Fault.TRAILERS_TOO_LARGE if expected is Expected.TRAILER_LINE else Fault.HEAD_TOO_LARGE
