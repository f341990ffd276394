# Augments speaker.py: sending a message is two calls through C tables, one to frame it and one to have it written.

from highper_core.websocket cimport WebSocket as Core
from highper_transports.exchange cimport Exchange

from .facts cimport SocketFacts

cdef int BLOCK, TURNS
cdef Py_ssize_t BURST


cdef class Speaker(SocketFacts):
    cdef readonly object close_reason
    cdef readonly object _backlog
    cdef readonly int close_code
    cdef public int _turns

    cpdef bint take_frames(self, bytes frames, bint compressed, object key) except -1
    cpdef object limit_writes(self)
    cpdef object become(self, Exchange exchange, Core core, object subprotocol)
    cdef object _send(self, object message, object key)
    cpdef object _refuse(self)
    cdef object _send_in_line(self, object message, object key)
    cdef bint _wait_in_line(self, object message, object key) except -1
    cdef object _have_backlog(self)
    cdef object _frame(self, object message)
    cpdef object _shut(self, int code, str reason=*)
    cpdef object _end_stream(self)
