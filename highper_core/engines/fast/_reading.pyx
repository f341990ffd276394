# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""The reading half of a connection: octets in, events out."""

from highper_core import grammar
from highper_core.errors import Fault, LocalProtocolError, remote_error
from highper_core.events import END_OF_MESSAGE, NEED_DATA, PAUSED
from highper_core.events cimport Data, EndOfMessage

from ._chunked cimport *
from ._clocks cimport *
from ._head cimport COMPLETE, NEED_MORE, TRAILER_SECTION, begin_head
from ._sections cimport SectionReader
from ._life cimport *
from ._output cimport FRAMING_CHUNKED, FRAMING_CLOSE_DELIMITED, FRAMING_KNOWN_LENGTH, FRAMING_NONE

cdef object _END_OF_MESSAGE = END_OF_MESSAGE, _NEED_DATA = NEED_DATA, _PAUSED = PAUSED

cdef int CHUNK_EXTENSIONS_TOO_LARGE = -Fault.CHUNK_EXTENSIONS_TOO_LARGE
cdef int CONTENT_TOO_LARGE = -Fault.CONTENT_TOO_LARGE
cdef int CONTENT_INCOMPLETE = -Fault.CONTENT_INCOMPLETE
cdef int DATA_UNEXPECTED = -Fault.DATA_UNEXPECTED


cdef inline Py_ssize_t _at_most(Py_ssize_t length, unsigned long long bound) noexcept:
    return length if <unsigned long long>length < bound else <Py_ssize_t>bound


cdef class HttpReader(SectionReader):
    """The reading half of `FastHttpConnection`."""

    cdef void _begin_cycle(self) noexcept:
        SectionReader._begin_cycle(self)
        self._chunk_phase = EXPECT_CHUNK_LINE
        self._chunk.seen = 0
        self._extensions = 0
        self._content = 0

    cpdef object next_event(self):
        """Return the next event, NEED_DATA or PAUSED."""
        cdef int state = self._life.states[self._theirs]
        if self._fault:
            raise remote_error(Fault(self._fault))
        if state == SEND_BODY:
            return self._next_content()
        if state == IDLE and self._ours == SERVER:
            if self._life.states[SERVER] != IDLE and self._input.length():
                self._fail(DATA_UNEXPECTED)
            return self._next_request()
        if state == SEND_RESPONSE:
            return self._next_response()
        return self._after_message(state)

    cdef object _after_message(self, int state):
        """Nothing more belongs to this message: bytes wait for the next cycle, or are one too many."""
        cdef int ours = self._life.states[self._ours]
        cdef bint owing = state == DONE or ours != MUST_CLOSE and ours != CLOSED and ours != ERROR and ours != DONE
        if state == CLOSED:
            return _NEED_DATA
        if state == MIGHT_SWITCH_PROTOCOL or state == SWITCHED_PROTOCOL:
            return _PAUSED
        owing = owing and state != IDLE
        if self._input.length() and not owing:
            self._fail(DATA_UNEXPECTED)
        if self._ended and not self._input.length():
            return self._close()
        return _PAUSED if owing else _NEED_DATA

    # Content

    cdef object _next_content(self):
        cdef Py_ssize_t length = self._input.length()
        cdef long long bound = self._bounds.content
        if self._framing == FRAMING_CHUNKED:
            return self._next_chunked()
        if self._framing != FRAMING_CLOSE_DELIMITED:
            if not self._remaining:
                return self._end(_END_OF_MESSAGE)
            if length:
                length = _at_most(length, self._remaining)
                self._remaining -= length
                return self._data(length)
            if self._ended:
                self._fail(CONTENT_INCOMPLETE)
            return _NEED_DATA
        if not length:
            return self._end(_END_OF_MESSAGE) if self._ended else _NEED_DATA
        if bound >= 0:
            length = _at_most(length, <unsigned long long>bound - self._content)
            if not length:
                self._fail(CONTENT_TOO_LARGE)
            self._content += length
        return self._data(length)

    cdef object _next_chunked(self):
        cdef Py_ssize_t length
        cdef int outcome = NEED_MORE
        while True:
            length = self._input.length()
            if not length:
                break
            if self._chunk_phase == EXPECT_CHUNK_DATA:
                length = _at_most(length, self._remaining)
                self._remaining -= length
                if not self._remaining:
                    self._chunk_phase = EXPECT_CHUNK_END
                return self._data(length)
            if self._chunk_phase == EXPECT_CHUNK_LINE:
                outcome = self._read_chunk_line()
            elif self._chunk_phase == EXPECT_CHUNK_END:
                outcome = read_chunk_end(self._input.data(), length)
                if outcome > 0:
                    self._input.consume(outcome)
                    self._chunk_phase = EXPECT_CHUNK_LINE
            else:
                outcome = self._read_section(TRAILER_SECTION)
                if outcome == COMPLETE:
                    return self._trailers()
            if outcome < 0:
                self._fail(outcome)
            if outcome == NEED_MORE:
                break
        if self._ended:
            self._fail(CONTENT_INCOMPLETE)
        return _NEED_DATA

    cdef int _read_chunk_line(self) except? -1:
        """Read and consume a chunk line. Return 1, NEED_MORE or a fault, negated."""
        cdef Py_ssize_t used = read_chunk_line(
            &self._chunk, self._input.data(), self._input.length(), self._bounds.chunk_line
        )
        if used == CHUNK_NEED_MORE:
            return NEED_MORE
        if used == CHUNK_UNUSUAL:
            fault, self._chunk.size, extensions = grammar.parse_chunk_line(self._input.data()[: self._chunk.seen - 1])
            self._extensions += extensions
            if fault:
                return -fault
            if self._extensions > self._bounds.chunk_extensions:
                return CHUNK_EXTENSIONS_TOO_LARGE
            used = self._chunk.seen + 1
        elif used < 0:
            return used
        if self._bounds.content >= 0 and self._chunk.size > <unsigned long long>self._bounds.content - self._content:
            return CONTENT_TOO_LARGE
        self._content += self._chunk.size
        self._remaining = self._chunk.size
        self._chunk.seen = 0
        self._chunk_phase = EXPECT_CHUNK_DATA if self._remaining else EXPECT_TRAILERS
        self._head.started = True  # trailers have no start-line
        self._input.consume(used)
        return 1

    cdef object _trailers(self):
        cdef EndOfMessage event
        fields = self._take_head() if self._head.count else None
        self._input.consume(self._head.line)
        begin_head(&self._head)
        if fields is None:
            return self._end(_END_OF_MESSAGE)
        event = EndOfMessage.__new__(EndOfMessage)
        event.headers = fields
        return self._end(event)

    cdef object _data(self, Py_ssize_t length):
        cdef Data event = Data.__new__(Data)
        self._waiting_for_continue = False
        if self._clocks.phase != PHASE_CONTENT:
            clocks_begin_at(&self._clocks, PHASE_CONTENT, self._now)
        event.data = self._input.take(length)
        return event

    cdef object _end(self, object event):
        self._waiting_for_continue = False
        clocks_begin(&self._clocks, PHASE_OFF)
        self._advance(self._theirs, IN_END_OF_MESSAGE)
        return event

    # Content that the caller receives itself

    @property
    def content_remaining(self):
        """Bytes of known-length content still to come and not buffered here, 0 when none, -1 when unknown."""
        if self._life.states[self._theirs] != SEND_BODY or self._framing == FRAMING_NONE:
            return 0
        if self._framing != FRAMING_KNOWN_LENGTH:
            return -1
        return max(0, <long long>self._remaining - self._input.length())

    def content_received(self, length, now=0.0):
        """Account for `length` bytes of content that the caller read itself; no `Data` is made for them."""
        if not 0 <= length <= self.content_remaining:
            raise LocalProtocolError(Fault.EVENT_ILLEGAL, "more than the content that remains")
        if not length:
            return
        self._now = now
        self._waiting_for_continue = False
        clocks_receive(&self._clocks, length, now)
        self._remaining -= length
