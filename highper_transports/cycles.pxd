# Augments cycles.py.

cimport cython

from highper_core.connection cimport Connection
from highper_core.events cimport Request

from .exchange cimport Exchange
from .open_exchanges cimport OpenExchanges
from .outlet cimport Outlet
from .stream cimport Stream

# of `outlet` and `timers`, as C knows them
cdef int TAKEN_OVER
cdef double NEVER


cdef class Cycles(Outlet):
    cdef public object application
    cdef readonly OpenExchanges exchanges
    cdef public bint stopping
    cdef public bint ending
    cdef public bint brief
    cdef Exchange _fresh
    cdef int _full
    cdef bint _waiting
    cdef Exchange _over

    cpdef object attach(self, Stream stream)
    cpdef object schedule(self)
    cdef object _settle(self, double now)
    cdef object _make_room(self)
    cdef object _retire(self)
    cpdef Exchange open(self, Request request, bytes content=*)
    cpdef object has_no_room(self, Exchange exchange)
    cpdef object has_room(self, Exchange exchange)
    cpdef object finish(self, Exchange exchange)
    @cython.locals(over=Exchange)
    cdef object _put_away(self)
    @cython.locals(connection=Connection)
    cdef object _next_cycle(self, double now)
    cdef object _drain(self, double now)
    cdef object _fault(self, object error, double now)
    cdef object _peer_closed(self, double now)
    cpdef object shutdown(self)
    @cython.locals(unknown=Exchange)
    cdef object _disconnect(self, object broken)
