# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""Heads and trailer sections: from octets to spans, and to what they amount to.

Cursors find lines and spans; what a request amounts to is decided here where it is plain (one good Host, at most one
good Content-Length, Connection absent, `close` or `keep-alive`, nothing else that matters), and by `framing` where it
is not. Faults are those of the shared `grammar` and `framing`, at the same octets.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.string cimport memcmp

from highper_core import framing, grammar
from highper_core.errors import Fault
from highper_core.events import NEED_DATA
from highper_core.events cimport ConnectionClosed, InformationalResponse, Request, Response, _StatusEvent

from ._bytes cimport is_word, parse_digits
from ._clocks cimport *
from ._conversation cimport Conversation
from ._fields cimport SpanFields, span_fields
from ._head cimport *
from ._life cimport *
from ._output cimport FRAMING_KNOWN_LENGTH, FRAMING_NONE

cdef object _NEED_DATA = NEED_DATA
cdef bytes HTTP_1_0 = b"1.0", HTTP_1_1 = b"1.1"
cdef bytes GET = b"GET", POST = b"POST", HEAD = b"HEAD", PUT = b"PUT"

cdef int TRAILER_FORBIDDEN = -Fault.TRAILER_FORBIDDEN
cdef int HEAD_INCOMPLETE = -Fault.HEAD_INCOMPLETE


cdef inline bytes _method_of(const char *p, Py_ssize_t length):
    """The method, as an object that exists already where it is a common one."""
    if length == 3:
        if memcmp(p, b"GET", 3) == 0:
            return GET
        if memcmp(p, b"PUT", 3) == 0:
            return PUT
    elif length == 4:
        if memcmp(p, b"POST", 4) == 0:
            return POST
        if memcmp(p, b"HEAD", 4) == 0:
            return HEAD
    return PyBytes_FromStringAndSize(p, length)


cdef class SectionReader(Conversation):
    """Reads heads and trailer sections."""

    def __dealloc__(self):
        free_head(&self._head)

    cdef void _begin_cycle(self) noexcept:
        Conversation._begin_cycle(self)
        begin_head(&self._head)
        self._skipped = False
        self._framing = FRAMING_NONE
        self._remaining = 0

    @property
    def searched(self):
        """Octets looked at for the ends of lines that came in pieces; a measure of work, for tests."""
        return self._head.searched

    cdef int _read_section(self, Kind kind) except? -1:
        """Read on in a head or a trailer section: COMPLETE, NEED_MORE or a fault, negated."""
        cdef int outcome
        while True:
            outcome = read_head(&self._head, self._input.data(), self._input.length(), &self._bounds.head, kind)
            if outcome != UNUSUAL:
                return outcome
            outcome = self._judge_field_line(kind) if self._head.started else self._judge_start_line(kind)
            if outcome:
                return outcome

    cdef int _judge_start_line(self, Kind kind) except? -1:
        cdef Py_ssize_t line = self._head.line
        cdef bytes text = self._input.data()[line : self._head.lf - 1]
        if kind == RESPONSE_HEAD:
            fault, self._head.status, reason, version = grammar.parse_status_line(text)
            self._head.reason_length = len(reason)
            self._head.reason = line + len(text) - len(reason)
        elif not text and not self._skipped:
            self._skipped = True
            self._input.consume(self._head.lf + 1)
            begin_head(&self._head)
            return 0
        else:
            fault, method, target, version = grammar.parse_request_line(text)
            self._head.method = line
            self._head.method_length = len(method)
            self._head.target = line + len(method) + 1
            self._head.target_length = len(target)
        if not fault:
            self._head.minor = version == HTTP_1_1
            accept_line(&self._head)
        return -fault

    cdef int _judge_field_line(self, Kind kind) except? -1:
        cdef Py_ssize_t line = self._head.line
        cdef bytes text = self._input.data()[line : self._head.lf - 1]
        fault, name, value = grammar.parse_field_line(text)
        if fault:
            return -fault
        if kind != TRAILER_SECTION:
            raise MemoryError  # there is nothing wrong with the line, so its span found no room
        if name in framing.FORBIDDEN_TRAILERS:
            return TRAILER_FORBIDDEN
        before = len(text) - len(text[len(name) + 1 :].lstrip(b" \t"))
        if add_span(&self._head, line, len(name), line + before, len(value)):
            raise MemoryError
        accept_line(&self._head)
        return 0

    cdef object _need_head(self):
        """The head is not complete: wait, or judge the end of input."""
        if not self._ended:
            return _NEED_DATA
        if self._input.length() or self._ours == CLIENT:
            self._fail(HEAD_INCOMPLETE)
        return self._close()

    cdef SpanFields _take_head(self):
        """Return the fields of the head. The input still begins with it."""
        cdef Py_ssize_t base = 0
        cdef bytes octets = self._input.hold(self._head.line, &base)
        return span_fields(&self._head, octets, base)

    cdef object _next_request(self):
        cdef Request request
        cdef const char *data
        cdef bint keep_alive
        cdef long long length
        cdef int outcome = self._read_section(REQUEST_HEAD)
        if outcome == NEED_MORE:
            return self._need_head()
        if outcome != COMPLETE:
            self._fail(outcome)
        request = Request.__new__(Request)
        data = self._input.data()
        request.method = _method_of(data + self._head.method, self._head.method_length)
        request.target = PyBytes_FromStringAndSize(data + self._head.target, self._head.target_length)
        request.http_version = HTTP_1_1 if self._head.minor else HTTP_1_0
        request.headers = self._take_head()
        if self._is_plain_request(&keep_alive, &length):
            self._framing = FRAMING_KNOWN_LENGTH
            self._remaining = length
            self._life.keep_alive = self._life.keep_alive and keep_alive
            self._method = request.method
        else:
            decision = _decide_request(request, self._bounds.content)
            self._frame(decision)
            length = decision.length
            self._method = request.method
            self._waiting_for_continue = decision.expect_continue
            self._propose(decision.upgrade_proposed)
        request.content_length = length
        self._modern = self._head.minor
        self._input.consume(self._head.line)
        begin_head(&self._head)
        self._begin_content(length != 0 and not self._waiting_for_continue)
        self._advance(CLIENT, IN_REQUEST)
        return request

    cdef bint _is_plain_request(self, bint *keep_alive, long long *length) noexcept:
        """Decide on a head that has nothing unusual, as `framing.decide_request` would."""
        cdef const char *data = self._input.data()
        cdef Span *span
        keep_alive[0] = True
        length[0] = 0
        if self._head.others or self._head.hosts != 1 or not self._head.minor:
            return False
        if self._head.method_length == 7 and memcmp(data + self._head.method, b"CONNECT", 7) == 0:
            return False
        span = self._head.spans + self._head.host
        if not is_plain_host(data + span.value, span.value_length):
            return False
        if self._head.connections:
            span = self._head.spans + self._head.connection
            if self._head.connections > 1:
                return False
            if span.value_length == 5 and is_word(data + span.value, b"close", 5):
                keep_alive[0] = False
            elif span.value_length != 10 or not is_word(data + span.value, b"keep-alive", 10):
                return False
        if self._head.lengths:
            span = self._head.spans + self._head.length
            length[0] = parse_digits(data + span.value, span.value_length)
            if self._head.lengths > 1 or length[0] < 0 or 0 <= self._bounds.content < length[0]:
                return False
        return True

    cdef object _next_response(self):
        cdef _StatusEvent response
        cdef int outcome = self._read_section(RESPONSE_HEAD)
        cdef int status = self._head.status
        cdef bytes version
        if outcome == NEED_MORE:
            return self._need_head()
        if outcome != COMPLETE:
            self._fail(outcome)
        response = InformationalResponse.__new__(InformationalResponse) if status < 200 else Response.__new__(Response)
        response.status_code = status
        response.reason = PyBytes_FromStringAndSize(self._input.data() + self._head.reason, self._head.reason_length)
        response.http_version = version = HTTP_1_1 if self._head.minor else HTTP_1_0
        response.headers = fields = self._take_head()
        decision = framing.decide_response(
            self._method,
            status,
            version,
            fields.all(b"content-length"),
            fields.all(b"transfer-encoding"),
            fields.all(b"connection"),
            fields.all(b"upgrade"),
            self._upgrade_proposed,
            self._bounds.content,
        )
        self._frame(decision)
        self._input.consume(self._head.line)
        begin_head(&self._head)
        self._begin_content(decision.length != 0)
        self._advance(SERVER, self._response_input(status < 200, status))
        if self._life.states[SERVER] == SEND_RESPONSE and self._input.length():
            clocks_begin_at(&self._clocks, PHASE_HEAD, self._now)
        return response

    cdef int _frame(self, object decision) except -1:
        """Obey a decision of `framing`."""
        if decision.fault:
            self._fail(-decision.fault)
        self._framing = decision.framing
        self._life.keep_alive = self._life.keep_alive and decision.keep_alive
        self._remaining = decision.length if self._framing == FRAMING_KNOWN_LENGTH else 0
        return 0

    cdef void _begin_content(self, bint running) noexcept:
        if running:
            clocks_begin_at(&self._clocks, PHASE_CONTENT, self._now)
            clocks_receive(&self._clocks, self._input.length(), self._now)
        else:
            clocks_begin(&self._clocks, PHASE_OFF)

    cdef object _close(self):
        self._advance(self._theirs, IN_CONNECTION_CLOSED)
        clocks_begin(&self._clocks, PHASE_OFF)
        return ConnectionClosed()


cdef object _decide_request(Request request, long long content_limit):
    fields = request.headers
    return framing.decide_request(
        request.method,
        request.http_version,
        fields.all(b"host"),
        fields.all(b"content-length"),
        fields.all(b"transfer-encoding"),
        fields.all(b"connection"),
        fields.all(b"expect"),
        fields.all(b"upgrade"),
        content_limit,
    )
