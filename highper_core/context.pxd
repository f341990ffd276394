# Augments context.py: the record of one request is a C struct.


cdef class RequestContext:
    cdef public long long id
    cdef readonly object request
    cdef readonly object response
    cdef public object connection
    cdef public object exchange
    cdef public object task
    cdef public object variables
    cdef object _locals

    cpdef object detach(self)
    cpdef object reset(self)
