# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""Framing of what we send, for the usual shapes; anything else is left to `writer`, whose bytes these equal.

A head is measured and judged in one walk over its fields, then written in a second one. What the first walk does not
take for granted (a name or value that may be illegal, Transfer-Encoding, Connection, Upgrade, two lengths, a reason)
goes to `writer`. Events are never changed, so the event keeps what was written: an answer that shares its head with
others costs one copy, with what belongs to its exchange and its content, where that is small, behind it.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize
from cpython.list cimport PyList_GET_ITEM
from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.string cimport memcpy

from highper_core import status
from highper_core.events cimport Response

from ._bytes cimport is_word, members_end, parse_digits, text_end
from ._head cimport TOKEN

cdef enum:
    CODES = 600
    MOST_DIGITS = 20

cdef PyObject *_status_lines[CODES]
cdef dict _kept = status.STATUS_LINES
for _code in _kept:
    _status_lines[_code] = <PyObject *>_kept[_code]

cdef const char *LENGTH = b"content-length: "
cdef const char *CHUNKED = b"transfer-encoding: chunked\r\n"
cdef const char *CLOSE = b"connection: close\r\n"


cdef enum Field:
    FIELD_PLAIN
    FIELD_LENGTH
    FIELD_UNUSUAL


cdef inline Field _judge(bytes name, bytes value) noexcept:
    cdef const char *word = PyBytes_AS_STRING(name)
    cdef const char *text = PyBytes_AS_STRING(value)
    cdef Py_ssize_t length = len(name)
    if length == 0 or members_end(word, word + length, TOKEN) != word + length:
        return FIELD_UNUSUAL
    if text_end(text, text + len(value)) != text + len(value):
        return FIELD_UNUSUAL
    if length == 14 and is_word(word, b"content-length", 14):
        return FIELD_LENGTH
    if length == 10 and is_word(word, b"connection", 10) or length == 7 and is_word(word, b"upgrade", 7):
        return FIELD_UNUSUAL
    if length == 17 and is_word(word, b"transfer-encoding", 17):
        return FIELD_UNUSUAL
    return FIELD_PLAIN


cdef inline char *_put(char *to, const char *octets, Py_ssize_t length) noexcept nogil:
    memcpy(to, octets, length)
    return to + length


cdef inline char *_put_number(char *to, unsigned long long value, int base) noexcept nogil:
    cdef char digits[MOST_DIGITS]
    cdef int i = MOST_DIGITS
    while True:
        i -= 1
        digits[i] = b"0123456789abcdef"[value % base]
        value //= base
        if not value:
            return _put(to, digits + i, MOST_DIGITS - i)


cdef bint _frame_head(Response response) except -1:
    """Frame status-line and field lines, as far as they are usual, into the event itself. False: ask `writer`."""
    cdef list lines
    cdef tuple line
    cdef bytes begin, made, name, value
    cdef Py_ssize_t i, size, known = 0
    cdef long long promised = -1
    cdef Field kind
    cdef char *to
    if not 200 <= response.status_code < CODES or _status_lines[response.status_code] == NULL:
        return False
    if response.reason is not None:
        return False
    begin = <bytes>_status_lines[response.status_code]
    lines = response.headers.lines()
    if response._base is not None and (response._base._framed is not None or _frame_head(response._base)):
        begin = response._base._framed
        promised = response._base._promised
        known = len(response._base.headers.lines())
    size = len(begin)
    for i in range(known, len(lines)):
        line = _pair(<object>PyList_GET_ITEM(lines, i))
        if line is None:
            return False
        name, value = <bytes>PyTuple_GET_ITEM(line, 0), <bytes>PyTuple_GET_ITEM(line, 1)
        kind = _judge(name, value)
        if kind == FIELD_UNUSUAL:
            return False
        if kind == FIELD_LENGTH:
            if promised >= 0:
                return False
            promised = parse_digits(PyBytes_AS_STRING(value), len(value))
            if promised < 0:
                return False
        size += len(name) + len(value) + 4
    made = PyBytes_FromStringAndSize(NULL, size)
    to = _put(PyBytes_AS_STRING(made), PyBytes_AS_STRING(begin), len(begin))
    for i in range(known, len(lines)):
        line = <tuple>PyList_GET_ITEM(lines, i)
        name, value = <bytes>PyTuple_GET_ITEM(line, 0), <bytes>PyTuple_GET_ITEM(line, 1)
        to = _put(to, PyBytes_AS_STRING(name), len(name))
        to = _put(to, b": ", 2)
        to = _put(to, PyBytes_AS_STRING(value), len(value))
        to = _put(to, b"\r\n", 2)
    response._framed = made
    response._promised = promised
    return True


cdef bytes frame_response(Response response, Exchange *exchange, Content *framed, long long length, bytes content):
    """Frame a final response, and all its content where `length` tells how much there is (-1: that comes later).

    Returns:
        the octets, and in `framed` and `exchange.keep_alive` what they promise; None for `writer` to decide. The
        content is among them unless it is longer than JOINED_CONTENT or not to be written.
    """
    cdef bytes made
    cdef Py_ssize_t size, number_length = 0
    cdef char number[MOST_DIGITS]
    cdef long long promised
    cdef bint bodiless, own_length = False
    cdef char *to
    if response._framed is None and not _frame_head(response):
        return None
    promised = response._promised
    size = len(response._framed) + 2
    bodiless = response.status_code == 204 or response.status_code == 304
    framed.droppable = NO_CONTENT
    if bodiless:
        if length > 0 or response.status_code == 204 and promised >= 0:
            return None
        framed.framing = FRAMING_NONE
        framed.remaining = 0
    elif promised >= 0:
        if length > promised or 0 <= length < promised and not exchange.head:
            return None
        framed.framing = FRAMING_KNOWN_LENGTH
        framed.remaining = promised
    elif length >= 0:
        own_length = True
        framed.framing = FRAMING_KNOWN_LENGTH
        framed.remaining = length
        number_length = _put_number(number, length, 10) - number
        size += 16 + number_length + 2
    elif exchange.modern:
        framed.framing = FRAMING_CHUNKED
        framed.remaining = -1
        size += 28
    else:
        framed.framing = FRAMING_CLOSE_DELIMITED
        framed.remaining = -1
        exchange.keep_alive = False
    if not exchange.keep_alive:
        size += 19
    if exchange.head or bodiless or length > JOINED_CONTENT:
        length = 0
    made = PyBytes_FromStringAndSize(NULL, size + max(length, 0))
    to = _put(PyBytes_AS_STRING(made), PyBytes_AS_STRING(response._framed), len(response._framed))
    if own_length:
        to = _put(_put(_put(to, LENGTH, 16), number, number_length), b"\r\n", 2)
    elif framed.framing == FRAMING_CHUNKED:
        to = _put(to, CHUNKED, 28)
    if not exchange.keep_alive:
        to = _put(to, CLOSE, 19)
    to = _put(to, b"\r\n", 2)
    if length > 0:
        _put(to, PyBytes_AS_STRING(content), length)
    if exchange.head and not bodiless:
        framed.framing = FRAMING_NONE
        framed.droppable = framed.remaining
        framed.remaining = 0
    return made


cdef inline tuple _pair(object line):
    """`line` itself when it is a plain pair of bytes, else None."""
    if not PyTuple_CheckExact(line) or PyTuple_GET_SIZE(line) != 2 or not PyBytes_CheckExact((<tuple>line)[0]):
        return None
    return line if PyBytes_CheckExact((<tuple>line)[1]) else None


cdef bytes frame_chunk(const char *data, Py_ssize_t length):
    """Frame one chunk that is not empty."""
    cdef char size[MOST_DIGITS]
    cdef Py_ssize_t digits = _put_number(size, length, 16) - size
    cdef bytes made = PyBytes_FromStringAndSize(NULL, digits + length + 4)
    cdef char *to = _put(PyBytes_AS_STRING(made), size, digits)
    to = _put(_put(to, b"\r\n", 2), data, length)
    _put(to, b"\r\n", 2)
    return made
