# The compiled WebSocket: octets in, events out. Speaking is in `_websocket_speaker`.

from libc.stdint cimport uint32_t

from ._buffer cimport Buffer
from ._utf8 cimport Utf8
from ._websocket_speaker cimport WebSocketSpeaker


cdef class FastWebSocket(WebSocketSpeaker):
    cdef Buffer _input  # None while nothing waits to be parsed
    cdef bytes _gathered  # where the message that is under way is collected, `_size` octets so far; None for nothing
    cdef Py_ssize_t _size
    cdef object _inflater  # None until something is inflated
    cdef double _now
    cdef long long _remaining  # octets of the frame's payload still to come
    cdef long long _length  # of the message so far, as its headers announce it
    cdef long long _left  # bytes that the message being inflated may still have, negative for any number
    cdef uint32_t _key  # what masks the next octet, and those behind it
    cdef Utf8 _text
    cdef unsigned char _opcode  # of the frame
    cdef unsigned char _kind  # of the message, TEXT or BINARY
    cdef unsigned char _in_frame  # flags, an octet each
    cdef unsigned char _finished  # the frame has FIN
    cdef unsigned char _in_message  # the next data frame continues it
    cdef unsigned char _compressed  # the message came so
    cdef unsigned char _inflating  # what the inflater was given
    cdef unsigned char _ending  # and the end of the message
    cdef unsigned char _ended  # the input
    cdef unsigned char _told

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
