# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""The chunk cursors. See the declarations for what they promise.

A size without extensions is read here; a line of another shape is handed to the caller, who asks `grammar`.
"""

from libc.string cimport memchr

from highper_core import grammar
from highper_core.errors import Fault

cdef enum:
    MOST_DIGITS = 15  # of those read here, so that no size overflows

cdef bytes _hexdig = grammar.HEXDIG
cdef const unsigned char *HEXDIG = _hexdig

cdef Py_ssize_t LINE_ENDING_INVALID = -Fault.LINE_ENDING_INVALID
cdef Py_ssize_t CHUNK_LINE_TOO_LONG = -Fault.CHUNK_LINE_TOO_LONG
cdef Py_ssize_t CHUNK_DATA_UNTERMINATED = -Fault.CHUNK_DATA_UNTERMINATED


cdef Py_ssize_t read_chunk_line(ChunkLine *line, const char *data, Py_ssize_t length, Py_ssize_t bound) noexcept nogil:
    """Read a chunk-size with its CRLF from data[:length], where `data` is the first octet of the line."""
    cdef const char *lf
    cdef Py_ssize_t end
    if not line.seen and _read_size(line, data, length, bound):
        return line.seen
    lf = <const char *>memchr(data + line.seen, c"\n", length - line.seen) if length > line.seen else NULL
    end = length if lf == NULL else lf - data
    line.seen = end
    if end - (end > 0 and data[end - 1] == c"\r") > bound:
        return CHUNK_LINE_TOO_LONG
    if lf == NULL:
        return CHUNK_NEED_MORE
    if end == 0 or memchr(data, c"\r", end) != data + end - 1:
        return LINE_ENDING_INVALID
    return line.seen if _read_size(line, data, length, bound) else CHUNK_UNUSUAL


cdef inline bint _read_size(ChunkLine *line, const char *data, Py_ssize_t length, Py_ssize_t bound) noexcept nogil:
    """Read 1*HEXDIG CRLF; `line.seen` is then the length of all of it."""
    cdef unsigned long long size = 0
    cdef Py_ssize_t i = 0
    while i < length and i < MOST_DIGITS and HEXDIG[<unsigned char>data[i]] < 16:
        size = size << 4 | HEXDIG[<unsigned char>data[i]]
        i += 1
    if i == 0 or i > bound or length - i < 2 or data[i] != c"\r" or data[i + 1] != c"\n":
        return False
    line.size = size
    line.seen = i + 2
    return True


cdef Py_ssize_t read_chunk_end(const char *data, Py_ssize_t length) noexcept nogil:
    """Read the CRLF that follows the data of a chunk."""
    if length and data[0] != c"\r" or length > 1 and data[1] != c"\n":
        return CHUNK_DATA_UNTERMINATED
    return 2 if length > 1 else CHUNK_NEED_MORE
