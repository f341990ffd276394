# Augments websocket_driver.py: from the stream to the core and back without a Python call in between.

cimport cython

from highper_core.events cimport BytesFragment, CloseConnection, Event, Ping, Pong, TextFragment
from highper_core.websocket cimport WebSocket

from .exchange cimport Exchange
from .flow_control cimport OutgoingFlow
from .stream cimport Receiver, Stream

cdef int OPEN, LINGERING, CLOSING, GONE
cdef Py_ssize_t CORK, PIECES, LINGERED
cdef double NEVER


cdef class WebSocketDriver(Receiver):
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

    cpdef object take_over(self, Exchange exchange, WebSocket core)
    cpdef object abandon(self)
    cpdef object opened(self)
    cpdef object arrived(self, object content, bint finished)
    cpdef object pinged(self, bytes data)
    cpdef object ponged(self, bytes data)
    cpdef object ending(self, int code, str reason)
    cpdef object relieved(self)
    cpdef object gone(self)
    cdef object _conclude(self, int code, str reason)
    cdef object _pump(self, double now)
    @cython.locals(core=WebSocket, text=TextFragment, data=BytesFragment)
    cdef bint _pull(self) except -1
    cpdef object make_room(self)
    cdef object _hold(self, double now)
    cpdef object cork(self, Py_ssize_t length)
    cpdef object push(self)
    cpdef object flush(self)
    @cython.locals(data=bytes, pieces=list, length=Py_ssize_t)
    cdef object _write(self)
    cpdef object begin_closing(self, int code, str reason)
    cdef object _end(self, double now)
    cdef object _leave(self, double now)
    cpdef object abort(self)
    cdef object _watch(self, double now)
    @cython.locals(core=WebSocket, deadline=double, due=double)
    cdef object _arm(self, double now)
