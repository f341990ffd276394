# Augments response.py: a response is a C struct, and its head is built without a call through Python.

from highper_core.events cimport Response as ResponseHead

from .date cimport http_date


cdef class Response:
    cdef public object _exchange
    cdef public int _state
    cdef public int _status
    cdef public bytes _content
    cdef public bytes _content_type
    cdef public list _fields
    cdef public list _before
    cdef public object _file

    cpdef object _begin(self, object exchange)
    cpdef object _reset(self)
    cpdef object _detach(self)
    cpdef Response text(self, object value)
    cpdef object take(self, object value)
    cpdef Response _finish(self, bytes content, bytes content_type)
    cpdef ResponseHead _build_head(self)
    cpdef object _send_head(self)
    cpdef object _end_stream(self, object end)


cdef dict _heads
cdef bytes _heads_date

cdef ResponseHead _plain_head(int status, bytes content_type)
