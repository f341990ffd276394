# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""The head cursor. See the declarations for what it promises.

Judgement is per line, so that no fault depends on how the octets were split. While the LF of a line is missing, only
its length can be judged; where a search for it ended is remembered, so every octet is searched once and read once.
Which of two bounds a growing line passes first decides the fault, whole or in pieces.
"""

from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from libc.string cimport memchr, memcmp, memset

from highper_core import grammar
from highper_core.errors import Fault

from ._bytes cimport is_word, members_end, parse_digits, text_end

cdef enum:
    FEWEST_SPANS = 16
    MOST_OCTETS = 0x7FFFFFFF  # a head longer than spans can tell, whatever the bounds allow

cdef bytes _token = grammar.TOKEN
cdef bytes _host = grammar.REG_NAME[:0x25] + b"\0" + grammar.REG_NAME[0x26:]  # a percent sign: ask `grammar`
cdef bytes _target = grammar.TARGET
cdef const unsigned char *TARGET = _target
cdef const unsigned char *HOST = _host

TOKEN = _token

cdef int LINE_ENDING_INVALID = -Fault.LINE_ENDING_INVALID
cdef int REQUEST_LINE_TOO_LONG = -Fault.REQUEST_LINE_TOO_LONG
cdef int FIELD_TOO_LONG = -Fault.FIELD_TOO_LONG
cdef int HEAD_TOO_LARGE = -Fault.HEAD_TOO_LARGE
cdef int TRAILERS_TOO_LARGE = -Fault.TRAILERS_TOO_LARGE
cdef int TOO_MANY_FIELDS = -Fault.TOO_MANY_FIELDS


cdef void begin_head(Head *head) noexcept nogil:
    cdef Span *spans = head.spans
    cdef int capacity = head.capacity
    cdef unsigned long long searched = head.searched
    memset(head, 0, sizeof(Head))
    head.spans = spans
    head.capacity = capacity
    head.searched = searched


cdef void free_head(Head *head) noexcept nogil:
    PyMem_RawFree(head.spans)
    head.spans = NULL
    head.capacity = 0


cdef int add_span(
    Head *head, Py_ssize_t name, Py_ssize_t name_length, Py_ssize_t value, Py_ssize_t value_length
) noexcept nogil:
    """Remember a field line. Return 0, or -1 when memory ran out."""
    cdef Span *span
    cdef int capacity
    if head.count == head.capacity:
        capacity = head.capacity * 2 if head.capacity else FEWEST_SPANS
        span = <Span *>PyMem_RawRealloc(head.spans, capacity * sizeof(Span))
        if span == NULL:
            return -1  # memory ran out
        head.spans = span
        head.capacity = capacity
    span = head.spans + head.count
    span.name = <uint32_t>name
    span.name_length = <uint32_t>name_length
    span.value = <uint32_t>value
    span.value_length = <uint32_t>value_length
    head.count += 1
    return 0


cdef int read_head(Head *head, const char *data, Py_ssize_t length, const Bounds *bounds, Kind kind) noexcept nogil:
    """Read lines from data[head.line:length], where `data` is the first octet of the head.

    Precondition: `length` never shrinks while one head is read, and what was before it is unchanged.
    """
    cdef Py_ssize_t used
    cdef int outcome
    while True:
        if head.seen > head.line:  # this line was incomplete before
            outcome = _find_line(head, data, length, bounds, kind)
            if outcome != UNUSUAL:
                return outcome
        if head.started:
            if length - head.line >= 2 and data[head.line] == c"\r" and data[head.line + 1] == c"\n":
                head.line += 2
                return COMPLETE
            used = _field_line(head, data, length) if kind != TRAILER_SECTION else 0
        elif kind == RESPONSE_HEAD:
            used = _status_line(head, data, length)
        else:
            used = _request_line(head, data, length)
        if not used:
            outcome = _find_line(head, data, length, bounds, kind)
            if outcome != UNUSUAL:
                return outcome
            outcome = _line_end_fault(head, data)
            if outcome:
                return outcome
            return TOO_MANY_FIELDS if head.started and head.count >= bounds.fields else UNUSUAL
        outcome = _bound_fault(head, used - 2, bounds, kind)
        if outcome:
            return outcome
        if head.started and head.count > bounds.fields:
            return TOO_MANY_FIELDS
        head.size += used
        head.line += used
        head.seen = head.line
        head.started = True


cdef void accept_line(Head *head) noexcept nogil:
    """Go behind an UNUSUAL line that was found to be good."""
    head.size += head.lf + 1 - head.line
    head.line = head.seen = head.lf + 1
    head.started = True


cdef int _find_line(Head *head, const char *data, Py_ssize_t length, const Bounds *bounds, Kind kind) noexcept nogil:
    """Look for the LF of the line. UNUSUAL: it is at `head.lf` and the line keeps the bounds."""
    cdef Py_ssize_t start = head.seen if head.seen > head.line else head.line
    cdef const char *found = <const char *>memchr(data + start, c"\n", length - start) if length > start else NULL
    cdef Py_ssize_t end = length if found == NULL else found - data
    cdef int fault
    head.searched += end - start
    head.seen = end
    head.lf = end
    if end > head.line:
        fault = _bound_fault(head, end - head.line - (data[end - 1] == c"\r"), bounds, kind)
        if fault:
            return fault
    return NEED_MORE if found == NULL else UNUSUAL


cdef int _bound_fault(Head *head, Py_ssize_t length, const Bounds *bounds, Kind kind) noexcept nogil:
    """Judge the length of a line, its CRLF left out, against what is smaller: its own bound or what is left."""
    cdef Py_ssize_t own = bounds.field_line if head.started else bounds.start_line
    cdef Py_ssize_t rest = min(bounds.head, MOST_OCTETS) - head.size - 2
    if length <= own and length <= rest or length == 0:
        return 0
    if own <= rest:
        if head.started:
            return FIELD_TOO_LONG
        return REQUEST_LINE_TOO_LONG if kind == REQUEST_HEAD else HEAD_TOO_LARGE
    return TRAILERS_TOO_LARGE if kind == TRAILER_SECTION else HEAD_TOO_LARGE


cdef int _line_end_fault(Head *head, const char *data) noexcept nogil:
    cdef Py_ssize_t lf = head.lf
    if memchr(data + head.line, c"\r", lf - head.line) == data + lf - 1 and lf > head.line:
        return 0
    return LINE_ENDING_INVALID


cdef Py_ssize_t _request_line(Head *head, const char *data, Py_ssize_t length) noexcept nogil:
    """Read method SP /target SP HTTP/1.x CRLF. Return its length, or 0 when it is unfinished or of another shape."""
    cdef const char *start = data + head.line
    cdef const char *end = data + length
    cdef const char *method_end = members_end(start, end, TOKEN)
    cdef const char *target
    cdef const char *target_end
    if method_end == start or end - method_end < 2 or method_end[0] != c" " or method_end[1] != c"/":
        return 0
    if method_end - start == 7 and memcmp(start, b"CONNECT", 7) == 0:
        return 0
    target = method_end + 1
    target_end = members_end(target, end, TARGET)
    if end - target_end < 11 or memcmp(target_end, b" HTTP/1.", 8) != 0:
        return 0
    if (target_end[8] | 1) != c"1" or target_end[9] != c"\r" or target_end[10] != c"\n":
        return 0
    head.method = head.line
    head.method_length = method_end - start
    head.target = target - data
    head.target_length = target_end - target
    head.minor = target_end[8] & 1
    return target_end + 11 - start


cdef Py_ssize_t _status_line(Head *head, const char *data, Py_ssize_t length) noexcept nogil:
    """Read HTTP/1.x SP code SP reason CRLF. Return its length, or 0 when it is unfinished or of another shape."""
    cdef const char *start = data + head.line
    cdef const char *end = data + length
    cdef const char *reason_end
    cdef int i
    if end - start < 15 or memcmp(start, b"HTTP/1.", 7) != 0 or (start[7] | 1) != c"1":
        return 0
    if start[8] != c" " or start[12] != c" " or start[9] < c"1":
        return 0
    for i in range(9, 12):
        if start[i] < c"0" or start[i] > c"9":
            return 0
    reason_end = text_end(start + 13, end)
    if end - reason_end < 2 or reason_end[0] != c"\r" or reason_end[1] != c"\n":
        return 0
    head.status = (start[9] - c"0") * 100 + (start[10] - c"0") * 10 + (start[11] - c"0")
    head.reason = start + 13 - data
    head.reason_length = reason_end - start - 13
    head.minor = start[7] & 1
    return reason_end + 2 - start


cdef Py_ssize_t _field_line(Head *head, const char *data, Py_ssize_t length) noexcept nogil:
    """Read a field line. Return its length, or 0 when it is unfinished or not what the grammar allows."""
    cdef const char *start = data + head.line
    cdef const char *end = data + length
    cdef const char *colon = members_end(start, end, TOKEN)
    cdef const char *value
    cdef const char *line_end
    cdef const char *value_end
    if colon == start or colon == end or colon[0] != c":":
        return 0
    value = colon + 1
    line_end = text_end(value, end)
    if end - line_end < 2 or line_end[0] != c"\r" or line_end[1] != c"\n":
        return 0
    while value[0] == c" " or value[0] == c"\t":  # stops at the CR at the latest
        value += 1
    value_end = line_end
    while value_end > value and ((value_end - 1)[0] == c" " or (value_end - 1)[0] == c"\t"):
        value_end -= 1
    if add_span(head, start - data, colon - start, value - data, value_end - value):
        return 0  # memory ran out
    _note(head, start, colon - start)
    return line_end + 2 - start


cdef inline void _note(Head *head, const char *name, Py_ssize_t length) noexcept nogil:
    """Note where the fields are that decide framing."""
    cdef int index = head.count - 1
    if length == 4:
        if is_word(name, b"host", 4):
            head.hosts += 1
            head.host = index
    elif length == 6:
        if is_word(name, b"expect", 6):
            head.others += 1
    elif length == 7:
        if is_word(name, b"upgrade", 7):
            head.others += 1
    elif length == 10:
        if is_word(name, b"connection", 10):
            head.connections += 1
            head.connection = index
    elif length == 14:
        if is_word(name, b"content-length", 14):
            head.lengths += 1
            head.length = index
    elif length == 17:
        if is_word(name, b"transfer-encoding", 17):
            head.others += 1


cdef bint is_plain_host(const char *value, Py_ssize_t length) noexcept nogil:
    """Tell whether `value` is a name without percent signs or an IPv4 address, with or without a port. False: ask `grammar`."""
    cdef const char *end = value + length
    cdef const char *colon = members_end(value, end, HOST)
    if colon == value:
        return False
    if colon == end:
        return True
    if colon[0] != c":" or end - colon > 6:
        return False
    return colon + 1 == end or 0 <= parse_digits(colon + 1, end - colon - 1) <= 65535
