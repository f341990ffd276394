# Augments route.py: a route is a C struct that dispatch reads from.


cdef class Route:
    cdef readonly tuple methods
    cdef readonly object pattern
    cdef readonly object handler
    cdef readonly object name
    cdef readonly tuple layers
    cdef readonly bint inline
    cdef readonly bint cancel_on_disconnect
    cdef readonly object max_body
    cdef readonly int call
    cdef readonly object endpoint
    cdef readonly str path
    cdef readonly tuple names
    cdef readonly tuple captures
    cdef readonly tuple match
    cdef readonly str label
