# Augments driver.py: from the stream to the connection and back without a Python call in between.

cimport cython

from highper_core.connection cimport Connection
from highper_core.events cimport ConnectionClosed, Data, EndOfMessage, Event, Request

from .exchange cimport Exchange
from .open_exchanges cimport OpenExchanges
from .outlet cimport Outlet
from .stream cimport Receiver, Stream

# of `outlet` and `timers`, as C knows them
cdef int CLOSING, GONE, LINGERING, TAKEN_OVER
cdef double NEVER
# of `events`, looked at for every event
cdef object NEED_DATA, PAUSED


cdef class Driver(Outlet):
    cdef public object application
    cdef public object service
    cdef readonly OpenExchanges exchanges
    cdef public bint stopping
    cdef public bint ending
    cdef public bint brief
    cdef Exchange _fresh
    cdef int _full
    cdef bint _scheduled

    cpdef object attach(self, Stream stream)
    cpdef object schedule(self)
    cdef bint _may_rest(self) except -1
    cdef object _make_room(self)
    cdef object _pump(self, double now)
    @cython.locals(connection=Connection, request=Request, exchange=Exchange)
    cdef object _pull(self, double now)
    @cython.locals(exchange=Exchange)
    cdef object _begin(self)
    @cython.locals(exchange=Exchange)
    cdef object _deliver(self, Event event, double now)
    cdef object _settle(self, double now)
    cpdef Exchange open(self, Request request, bytes content=*)
    cpdef object has_no_room(self, Exchange exchange)
    cpdef object has_room(self, Exchange exchange)
    cpdef object finish(self, Exchange exchange)
    cdef object _next_cycle(self, double now)
    cdef object _drain(self, double now)
    cdef object _fault(self, object error, double now)
    cdef object _peer_closed(self, double now)
    cpdef object shutdown(self)
    cdef object _disconnect(self, object broken)
    cdef object _retire(self)
