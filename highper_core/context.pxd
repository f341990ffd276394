# Augments context.py: the record of one request is a C struct.


cdef class Part:
    cpdef object _detach(self)
    cpdef object _reset(self)


cdef class RequestContext:
    cdef public long long id
    cdef readonly Part request
    cdef readonly Part response
    cdef public object connection
    cdef public object exchange
    cdef public object task
    cdef public object variables
    cdef readonly object _locals

    cpdef object detach(self)
    cpdef object reset(self)
