# The compiled WebSocket: octets in, events out. Speaking is in `_websocket_speaker`.

from libc.stdint cimport uint32_t

from ._buffer cimport Buffer
from ._utf8 cimport Utf8
from ._websocket_speaker cimport WebSocketSpeaker


# What waits to be parsed, and the message that is under way in it. A WebSocket has one while there is either.
cdef class Incoming(Buffer):
    cdef bytes gathered  # where that message is collected, `size` octets so far; None for nothing
    cdef Py_ssize_t size
    cdef double now  # when octets came last
    cdef long long remaining  # octets of the frame's payload still to come
    cdef long long announced  # of the message so far, by its headers
    cdef long long left  # bytes that the message being inflated may still have, negative for any number
    cdef uint32_t key  # what masks the next octet, and those behind it
    cdef Utf8 text
    cdef unsigned char opcode  # of the frame
    cdef unsigned char kind  # of the message, TEXT or BINARY
    cdef unsigned char in_frame  # flags, an octet each
    cdef unsigned char finished  # the frame has FIN
    cdef unsigned char in_message  # the next data frame continues it
    cdef unsigned char compressed  # the message came so
    cdef unsigned char inflating  # what the inflater was given
    cdef unsigned char ending  # and the end of the message

    # Whether a message or a frame is, apart from octets that wait.
    cdef inline bint is_inside(self) noexcept:
        return self.in_frame or self.in_message or self.inflating


cdef class FastWebSocket(WebSocketSpeaker):
    cdef Incoming _input  # None while nothing is under way
    cdef object _inflater  # None until something is inflated

    cdef object _refused(self, object error)
    cdef object _after_close(self)
    cdef object _read(self)
    cdef object _starve(self)
    cdef int _read_header(self) except -1
    cdef object _read_control(self)
    cdef object _read_close(self, bytes payload)
    cdef object _read_data(self)
    cdef object _inflate(self)
    cdef object _whole(self, const char *p, Py_ssize_t length)
    cdef object _absorb(self, const char *p, Py_ssize_t length, uint32_t key, bint last)
    cdef object _gather(self, const char *p, Py_ssize_t length, uint32_t key, bint last)
    cdef int _make_room(self, Py_ssize_t length) except -1
    cdef int _resize(self, Py_ssize_t length) except -1
    cdef object _show(self, const char *p, Py_ssize_t length, uint32_t key, bint last)
    cdef object _shown_so_far(self)
    cdef int _end_message(self) except -1
    cdef void _drop(self) noexcept
