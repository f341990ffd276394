# An awake stream. What secures it derives from it: bytes come through `arrived` and `input_ended`, and leave by `put`.

from libc.stdint cimport uint8_t, uint32_t

from ..stream cimport Stream
from ._kernel cimport Kernel
from ._poller cimport Poller
from ._records cimport Record

cdef enum:  # why nothing is read
    PAUSED = 1
    ENDED = 2  # the peer will send no more
    CLOSING = 4


cdef class EpollStream(Stream):
    cdef readonly Poller poller
    cdef Kernel kernel
    cdef int fd  # -1 when it is gone
    cdef uint32_t generation
    cdef uint32_t watched  # events that the set knows of
    cdef uint8_t deaf  # PAUSED | ENDED | CLOSING
    cdef bint muted  # out of the set: it reports what cannot be consumed now
    cdef bint ending  # its end will be told on the next pass
    cdef bint eof_written  # `write_eof` was called
    cdef bint reset  # close with a reset
    cdef bint short  # the system has no memory: it is asked again in a while, whatever the set says
    cdef bint pressed  # the receiver was told to pause
    cdef object queue  # deque of bytes, None where nothing is queued
    cdef Py_ssize_t offset  # what was sent of the first
    cdef Py_ssize_t queued  # bytes
    cdef Py_ssize_t high
    cdef Py_ssize_t low
    cdef object intake
    cdef object on_writable  # called once, when the peer takes more or the stream ends
    cdef object error

    # The poller's side
    cdef int ready(self, uint32_t events, double now) except -1
    cdef int finish(self) except -1
    # What a stream that is secured does otherwise
    cdef int arrived(self, Py_ssize_t count, double now) except -1
    cdef int input_ended(self) except -1
    # What it does it with
    cdef int put(self, bytes data) except -1
    cdef int put_end(self) except -1
    cdef int end(self, object error) except -1
    cdef int fail(self, Py_ssize_t error) except -1

    cdef int _read(self, double now) except -1
    cdef int _fill(self, double now) except -1
    cdef int _read_failed(self, Py_ssize_t count) except -1
    cdef int _put_list(self, list data) except -1
    cdef int _keep(self, bytes data, Py_ssize_t offset) except -1
    cdef int _flush(self) except -1
    cdef Py_ssize_t _send_queued(self) except? -1
    cdef int _drop(self, Py_ssize_t count) except -1
    cdef int _press(self) except -1
    cdef int _relax(self) except -1
    cdef int _tell_writable(self) except -1
    cdef int _shut(self) except -1
    cdef int _update(self) except -1
    cdef int _mute(self) except -1


cdef EpollStream new_stream(Poller poller, object transport, int fd, Record *record)
cdef int set_up(EpollStream stream, Poller poller, int fd, Record *record) except -1
