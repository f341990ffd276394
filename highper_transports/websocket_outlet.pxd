# Augments websocket_outlet.py.

cimport cython

from highper_core.flag cimport flag
from highper_core.websocket cimport WebSocket

from .flow_control cimport OutgoingFlow
from .stream cimport Receiver, Stream

cdef int _OPEN, _LINGERING, _CLOSING, _GONE
cdef Py_ssize_t CORK, PIECES
cdef double NEVER, REST_DELAY, RESOLUTION


cdef class WebSocketOutlet(Receiver):
    cdef readonly WebSocket core
    cdef readonly Stream wire
    cdef readonly object transport
    cdef OutgoingFlow _outgoing
    cdef unsigned int _corked
    cdef int _place
    cdef public flag full
    cdef public flag deferred
    cdef readonly flag over
    cdef readonly flag pressed
    cdef readonly flag shut
    cdef flag _dirty
    cdef flag _ended
    cdef flag _held
    cdef flag _pumping
    cdef flag _quiet
    cdef unsigned char _phase

    cpdef object cork(self, Py_ssize_t length)
    cpdef object push(self)
    cpdef object flush(self)
    @cython.locals(data=bytes, pieces=list, length=Py_ssize_t)
    cdef object _write(self)
    cdef object _end(self, double now)
    cdef object _leave(self, double now)
    cpdef object abort(self)
    cdef object _watch(self, double now)
    @cython.locals(wire=Stream, core=WebSocket, deadline=double, due=double)
    cdef object _arm(self, double now)
    cpdef Stream reach(self)
    cpdef object limit_writes(self)
    cdef bint _is_idle(self) except -1
    cdef bint _doze(self) except -1
