# Augments websocket_driver.py: from the stream to the core and back without a Python call in between.

cimport cython

from highper_core.events cimport BytesFragment, CloseConnection, Event, Ping, Pong, TextFragment
from highper_core.websocket cimport WebSocket

from .exchange cimport Exchange
from .websocket_outlet cimport WebSocketOutlet

# of `websocket_outlet`, as C knows them
cdef int OPEN, LINGERING, CLOSING, GONE
cdef Py_ssize_t LINGERED


cdef class WebSocketDriver(WebSocketOutlet):
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
    cpdef object begin_closing(self, int code, str reason)
