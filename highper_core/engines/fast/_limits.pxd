# The bounds of `Limits` that are looked at per octet or per event, as C numbers.

from ._clocks cimport Times
from ._head cimport Bounds


cdef class LimitBounds:
    cdef readonly object limits
    cdef Bounds head
    cdef Times times
    cdef Py_ssize_t chunk_line
    cdef long long chunk_extensions
    cdef long long content  # -1 for none


cdef LimitBounds bounds_of(object limits)
