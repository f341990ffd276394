# Augments driver.py: from the stream to the connection and back without a Python call in between.

cimport cython

from highper_core.connection cimport Connection
from highper_core.events cimport ConnectionClosed, Data, EndOfMessage, Event, Request

from .cycles cimport Cycles
from .exchange cimport Exchange

# of `outlet` and `timers`, as C knows them
cdef int CLOSING, GONE, LINGERING, TAKEN_OVER
cdef double NEVER
# of `events`, looked at for every event
cdef object NEED_DATA, PAUSED


cdef class Driver(Cycles):
    cdef public object service
    cdef bint _scheduled

    cdef bint _may_rest(self) except -1
    cdef object _pump(self, double now)
    @cython.locals(connection=Connection, request=Request, exchange=Exchange)
    cdef object _pull(self, double now)
    cdef object _begin_in_turn(self)
    @cython.locals(exchange=Exchange)
    cdef object _begin(self)
    @cython.locals(exchange=Exchange)
    cdef object _deliver(self, Event event, double now)
