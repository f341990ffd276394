# The half of a compiled WebSocket that speaks: its state, its clocks, and the frames we send.

from libc.stdint cimport uint32_t

from highper_core.websocket cimport WebSocket

from ._keepalive cimport SocketClocks
from ._websocket_bounds cimport WebSocketBounds

cdef enum:
    OPEN = 0
    CLOSING = 1
    CLOSED = 2
    FAILED = 3

cdef enum:
    IN_SEND_MESSAGE = 0
    IN_SEND_PING = 1
    IN_SEND_PONG = 2
    IN_SEND_CLOSE = 3
    IN_MESSAGE = 4
    IN_CONTROL = 5
    IN_CLOSE = 6
    IN_FAULT = 7
    IN_END_OF_INPUT = 8

cdef enum:
    NO_MESSAGE = -1


cdef class WebSocketSpeaker(WebSocket):
    cdef SocketClocks _clock
    cdef WebSocketBounds _bounds
    cdef object _mask_source  # None for a SERVER
    cdef object _deflater  # None until something is compressed
    cdef object _framed  # what is not yet fetched: None, bytes, or a list of them
    cdef bytes _late_pong  # the answer to the newest Ping, where there is no room for more
    cdef uint32_t _pongs  # octets of Pongs in the output
    cdef uint32_t _pings  # our own, each with its number
    cdef short _fault
    cdef signed char _state
    cdef signed char _sending  # opcode of the message that we are inside, or NO_MESSAGE
    cdef unsigned char _compressing  # flags, an octet each
    cdef unsigned char _ended  # the input; it and the next belong to who listens, and find room here
    cdef unsigned char _told

    cdef int _advance(self, int what) except -1
    cdef int _demand(self, int what) except -1
    cdef int _send_fragment(self, int opcode, object content, bint finished) except -1
    cdef Py_ssize_t _put_frame(self, int first, const char *payload, Py_ssize_t length, bytes whole) except -1
    cdef int _put(self, bytes piece) except -1
    cdef int _put_close(self, bytes payload) except -1
    cdef int _answer_ping(self, bytes payload) except -1
    cdef int _put_late_pong(self) except -1
    cdef int _fail(self, int fault) except -1
    cdef bytes _own_ping(self)
