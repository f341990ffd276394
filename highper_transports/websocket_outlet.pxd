# Augments websocket_outlet.py.

cimport cython

from highper_core.websocket cimport WebSocket

from .flow_control cimport OutgoingFlow
from .stream cimport Receiver, Stream

cdef int _OPEN, _LINGERING, _CLOSING, _GONE
cdef Py_ssize_t CORK, PIECES
cdef double NEVER


cdef class WebSocketOutlet(Receiver):
    cdef readonly WebSocket core
    cdef readonly Stream wire
    cdef OutgoingFlow _outgoing
    cdef unsigned int _corked
    cdef public bint full
    cdef public bint deferred
    cdef readonly bint over
    cdef readonly bint pressed
    cdef readonly bint shut
    cdef bint _dirty
    cdef bint _ended
    cdef bint _held
    cdef bint _pumping
    cdef int _phase

    cpdef object cork(self, Py_ssize_t length)
    cpdef object push(self)
    cpdef object flush(self)
    @cython.locals(data=bytes, pieces=list, length=Py_ssize_t)
    cdef object _write(self)
    cdef object _end(self, double now)
    cdef object _leave(self, double now)
    cpdef object abort(self)
    cdef object _watch(self, double now)
    @cython.locals(core=WebSocket, deadline=double, due=double)
    cdef object _arm(self, double now)
