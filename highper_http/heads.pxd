# Augments heads.py.

cimport cython

from highper_core.events cimport Response as ResponseHead, response_head

from ._native cimport is_text
from .date cimport http_date

cdef int PLAIN_HEADS
cdef dict _heads
cdef bytes _heads_date
cdef dict _names

@cython.locals(key=bytes, line=bytes)
cpdef tuple field_line(str name, object value)
cdef bytes _field_name(str name)
cpdef ResponseHead own_head(int status, bytes content_type, list fields)
cpdef ResponseHead plain_head(int status, bytes content_type)
