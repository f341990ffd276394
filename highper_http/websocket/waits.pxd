# Augments waits.py.

cdef object _NOTHING


cdef class _Done:
    pass


cdef class Extras:
    cdef readonly list closers
    cdef public object locals
    cdef readonly dict pings
    cdef public object subprotocol
    cdef public list watchers
    cdef long long _number
