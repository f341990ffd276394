# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""The header of a frame: read by a cursor, written in place. The tables are those of `frames`."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

from highper_core.errors import Fault
from highper_core.frames import FIRST_OCTET, SECOND_OCTET

from ._mask cimport mask_octets, turned
from ._utf8 cimport Utf8, utf8_goes_on

cdef enum:
    OPCODE = 0x0F
    MASKED = 0x80
    LENGTH = 0x7F
    SHORT_FORM = 126
    LONG_FORM = 127

cdef unsigned char _first[1024]
cdef unsigned char _second[1024]
assert len(FIRST_OCTET) == sizeof(_first) and len(SECOND_OCTET) == sizeof(_second), "the tables have another shape"
memcpy(_first, <const char *><bytes>FIRST_OCTET, sizeof(_first))
memcpy(_second, <const char *><bytes>SECOND_OCTET, sizeof(_second))

cdef int FRAME_LENGTH_INVALID = Fault.FRAME_LENGTH_INVALID
cdef int FRAME_TOO_LARGE = Fault.FRAME_TOO_LARGE
cdef int MESSAGE_TOO_LARGE = Fault.MESSAGE_TOO_LARGE


cdef int parse_header(const unsigned char *p, Py_ssize_t available, const Expectation *expected, Header *header) noexcept nogil:
    """Read a header from `available` octets at `p`; return a fault, or 0 and in `header.size` whether it is whole."""
    cdef int first, fault, i, size = 2
    cdef bint control, compressed
    cdef uint64_t length
    header.size = 0
    if available < 1:
        return 0
    first = p[0]
    fault = _first[(expected.in_message * 2 + expected.deflate) * 256 + first]
    if fault or available < 2:
        return fault
    control = (first & OPCODE) >= CLOSE
    fault = _second[(expected.masked * 2 + control) * 256 + p[1]]
    if fault:
        return fault
    length = p[1] & LENGTH
    if length >= SHORT_FORM:
        size = 4 if length == SHORT_FORM else 10
        if available < size:
            return 0
        length = 0
        for i in range(2, size):
            length = length << 8 | p[i]
        if length < (SHORT_FORM if size == 4 else 65536) or length >> 63:
            return FRAME_LENGTH_INVALID
    if not control:
        if 0 <= expected.frame_bound < <long long>length:
            return FRAME_TOO_LARGE
        compressed = expected.compressed if expected.in_message else (first & RSV1) != 0
        if expected.message_bound >= 0 and not compressed:
            if <long long>length > expected.message_bound - (expected.length if expected.in_message else 0):
                return MESSAGE_TOO_LARGE
    header.key = 0
    if expected.masked:
        size += 4
        if available < size:
            return 0
        memcpy(&header.key, p + size - 4, 4)
    header.first = first
    header.length = <long long>length
    header.size = size
    return 0


cdef int header_size(long long length, bint masked) noexcept nogil:
    """How long the header of `length` octets of payload is."""
    return (2 if length < SHORT_FORM else 4 if length < 65536 else 10) + (4 if masked else 0)


cdef int put_header(char *to, int first, long long length, bint masked, uint32_t key) noexcept nogil:
    """Write a header; return its size. Precondition: there is room for `header_size` octets."""
    cdef unsigned char *at = <unsigned char *>to
    cdef int shift, flag = MASKED if masked else 0
    at[0] = <unsigned char>first
    at[1] = <unsigned char>(flag | <int>(length if length < SHORT_FORM else SHORT_FORM if length < 65536 else LONG_FORM))
    at += 2
    if length >= SHORT_FORM:
        shift = 8 if length < 65536 else 56
        while shift >= 0:
            at[0] = <unsigned char>(length >> shift & 255)
            at += 1
            shift -= 8
    if masked:
        memcpy(at, &key, 4)
        at += 4
    return <int>(<char *>at - to)


cdef bytes made_frame(int first, const char *payload, Py_ssize_t length, bint masked, uint32_t key):
    """Return one frame."""
    cdef bytes made = PyBytes_FromStringAndSize(NULL, header_size(length, masked) + length)
    cdef char *to = PyBytes_AS_STRING(made)
    to += put_header(to, first, length, masked, key)
    if masked:
        mask_octets(to, payload, length, key)
    else:
        memcpy(to, payload, length)
    return made


# For tests and measurements: the twins of what `frames` and the decoders of the library do


def apply_mask(bytes data, bytes mask):
    """Return `data` with the four octets of `mask` laid over it, again and again."""
    cdef bytes made = PyBytes_FromStringAndSize(NULL, len(data))
    cdef uint32_t key
    if len(mask) != 4:
        raise ValueError("a mask has four octets")
    memcpy(&key, PyBytes_AS_STRING(mask), 4)
    mask_octets(PyBytes_AS_STRING(made), PyBytes_AS_STRING(data), len(data), key)
    return made


def turned_mask(bytes mask, Py_ssize_t length):
    """Return `mask` as it stands behind `length` octets."""
    cdef uint32_t key
    memcpy(&key, PyBytes_AS_STRING(mask[:4].ljust(4, b"\0")), 4)
    key = turned(key, length)
    return PyBytes_FromStringAndSize(<char *>&key, 4)


def header_of(bytes data, bint masked=True, bint deflate=False, bint in_message=False):
    """Return fault, first octet, size and payload length of the header that begins `data`; no size: it is not whole."""
    cdef Expectation expected
    cdef Header header
    expected.masked = masked
    expected.deflate = deflate
    expected.in_message = in_message
    expected.compressed = False
    expected.length = 0
    expected.frame_bound = expected.message_bound = -1
    fault = parse_header(<const unsigned char *>PyBytes_AS_STRING(data), len(data), &expected, &header)
    if fault or not header.size:
        return fault, 0, 0, 0
    return fault, header.first, header.size, header.length


def utf8_ends(list pieces):
    """Return whether `pieces` of text go on, and how many octets of a character are left over behind them."""
    cdef Utf8 text
    cdef bytes piece
    text.have = text.needed = 0
    for piece in pieces:
        if not utf8_goes_on(&text, PyBytes_AS_STRING(piece), PyBytes_AS_STRING(piece) + len(piece)):
            return False, 0
    return True, text.have
