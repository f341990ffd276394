# The writing half of an awake stream. What secures a stream lets bytes leave by `put`.

from libc.stdint cimport uint8_t

from ..stream cimport Stream
from ._kernel cimport Kernel

cdef enum:  # why nothing is read
    PAUSED = 1
    ENDED = 2  # the peer will send no more
    CLOSING = 4


cdef bint would_block(Py_ssize_t error) noexcept


cdef class Outgoing(Stream):
    cdef Kernel kernel
    cdef int fd  # -1 when it is gone
    cdef uint8_t deaf  # PAUSED | ENDED | CLOSING
    cdef bint ending  # its end will be told on the next pass
    cdef bint eof_written  # `write_eof` was called
    cdef bint short  # the system has no memory: it is asked again in a while, whatever the set says
    cdef bint pressed  # the receiver was told to pause
    cdef bint gathered  # what is queued will leave in a moment, whatever the set says
    cdef bytes first  # of what is queued
    cdef Py_ssize_t offset  # what was sent of the first
    cdef object queue  # deque of the bytes behind it, or None
    cdef Py_ssize_t queued  # bytes
    cdef Py_ssize_t high
    cdef Py_ssize_t low
    cdef object on_writable  # called once, when the peer takes more or the stream ends

    # What the stream does
    cdef int update(self) except -1
    cdef int end(self, object error) except -1
    cdef int fail(self, Py_ssize_t error) except -1
    cdef int finish(self) except -1
    cdef bint gather(self) except -1
    cdef int call_later(self, double delay, object callback) except -1
    # What it does it with
    cdef int put(self, bytes data) except -1
    cdef int put_end(self) except -1
    cdef int flush(self) except -1
    cdef int tell_writable(self) except -1
    # Its socket was closed by somebody else
    cdef void disown(self) noexcept

    cdef int _put_list(self, list data) except -1
    cdef int _keep(self, bytes data, Py_ssize_t offset) except -1
    cdef Py_ssize_t _send_queued(self) except? -1
    cdef int _drop(self, Py_ssize_t count) except -1
    cdef int _press(self) except -1
    cdef int _relax(self) except -1
    cdef int _shut(self) except -1
    cdef int _retry_soon(self) except -1
