# Augments request.py: a request is a C struct that dispatch fills in.

cimport cython

from highper_core.context cimport Part


cdef class Request(Part):
    cdef public object _limits
    cdef public object _origin
    cdef public object _context
    cdef public object _exchange
    cdef public object _form
    cdef public object _forwarding
    cdef public object _head
    cdef public object _route
    cdef public tuple _values
    cdef public bytes _content
    cdef public bint _streaming
    cdef public object _cookies
    cdef public object _headers
    cdef public str _path
    cdef public list _query
    cdef public bytes _raw_path
    cdef public bytes _raw_query
    cdef public double _started

    @cython.locals(index=Py_ssize_t, names=tuple)
    cpdef object param(self, str name)
    cpdef object _begin(self, object context, object exchange, object head, object route, tuple values)
