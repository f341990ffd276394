# Augments outlet.py.

cimport cython

from highper_core.connection cimport Connection

from .flow_control cimport IncomingFlow, OutgoingFlow
from .stream cimport Receiver, Stream
from .timers cimport TimerWheel

cdef Py_ssize_t CORK
cdef double NEVER, REST_DELAY


cdef class Outlet(Receiver):
    cdef public Stream stream
    cdef public Connection connection
    cdef public bint is_server
    cdef public object transport
    cdef public TimerWheel timers
    cdef public int phase
    cdef public bint talking
    cdef public OutgoingFlow outgoing
    cdef public IncomingFlow incoming
    cdef public bint busy
    cdef public bint filling
    cdef bint _pumping
    cdef bint _dirty
    cdef Py_ssize_t _corked
    cdef bint _ended
    cdef bint _failed
    cdef long long _drained
    cdef double _drain_deadline

    cpdef object attach(self, Stream stream)
    cdef object _enter(self, int phase)
    cpdef object cork(self, Py_ssize_t length)
    @cython.locals(data=bytes)
    cpdef object flush(self)
    cpdef object wants(self, object exchange)
    cpdef object parting(self, object head)
    cpdef object refuse(self, object error, double now)
    cpdef object last_answer(self, double now)
    cpdef object linger(self, double now)
    cpdef bint drop(self, Py_ssize_t length, double now) except -1
    cpdef object close(self, double now)
    cpdef object abort(self)
    cpdef object take_over(self, Receiver receiver)
    cpdef bint is_crowded(self) except -1
    cpdef bint holds_back(self) except -1
    cpdef bint gives_content_up(self) except -1
    cpdef bint fill(self, object intake) except -1
    cpdef object stop_filling(self)
    @cython.locals(deadline=double)
    cdef double _core_deadline(self, double now) except? -1.0
    @cython.locals(deadline=double, core=double, rest=double)
    cpdef object arm(self, double now)
