# Augments response.py: a response is a C struct, and its head is built without a call through Python.

cimport cython

from highper_core.context cimport Part
from highper_core.events cimport Response as ResponseHead

from highper_transports.exchange cimport Exchange

from .heads cimport field_line, own_head, plain_head


cdef object dumps
cdef bytes TEXT, HTML, JSON, MSGPACK, BYTES
cdef int OPEN, FINISHED, SWITCHING, STREAMING, HEAD_SENT, SENT


cdef class Response(Part):
    cdef public Exchange _exchange
    cdef public int _state
    cdef public int _status
    cdef public bytes _content
    cdef public bytes _content_type
    cdef public list _fields
    cdef public list _before
    cdef public object _file
    cdef public object _heir

    cpdef Response text(self, str value)
    cpdef object take(self, object value)
    @cython.locals(field=tuple)
    cdef bint _has(self, bytes key) except -1
    cpdef Response _finish(self, bytes content, bytes content_type)
    cpdef ResponseHead _build_head(self)
    @cython.locals(exchange=Exchange)
    cpdef bint _send(self) except -1
    cpdef bint _is_sent(self) except -1
    cpdef Exchange _send_head(self)
    cpdef object _end_stream(self, object end)
