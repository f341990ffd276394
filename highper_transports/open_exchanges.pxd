# Augments open_exchanges.py.

cimport cython

from .exchange cimport Exchange


@cython.final
cdef class OpenExchanges:
    cdef Exchange _sole
    cdef dict _others

    cdef object add(self, Exchange exchange)
    @cython.locals(sole=Exchange)
    cdef Exchange find(self, int stream_id)
    cdef bint remove(self, Exchange exchange) except -1
