# Augments pool.py.

from ._references cimport parts_unheld, take_unheld
from .context cimport RequestContext


cdef class ContextPool:
    cdef list _free
    cdef long long _id
    cdef object _request
    cdef object _response
    cdef Py_ssize_t _size
    cdef readonly long long created
    cdef readonly long long reused
    cdef readonly long long abandoned
    cdef readonly long long dropped

    cpdef RequestContext acquire(self)
    cpdef object release(self, RequestContext context)
    cdef RequestContext _create(self)
