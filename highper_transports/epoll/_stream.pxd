# An awake stream. What secures it derives from it: bytes come through `arrived` and `input_ended`, and leave by `put`.

from libc.stdint cimport uint32_t

from ._outgoing cimport Outgoing
from ._sockets cimport Sockets
from ._records cimport Record


cdef class EpollStream(Outgoing):
    cdef readonly Sockets poller
    cdef uint32_t generation
    cdef uint32_t watched  # events that the set knows of
    cdef bint muted  # out of the set: it reports what cannot be consumed now
    cdef bint reset  # close with a reset
    cdef object intake
    cdef bint expecting  # bytes were received for it, and are about to be delivered
    cdef bytes early  # received before somebody changed what is wanted, and not delivered
    cdef object error

    # The poller's side
    cdef int ready(self, uint32_t events, double now) except -1
    cdef bint expects(self) noexcept
    cdef int hold(self, const char *data, Py_ssize_t count) except -1
    cdef int received(self, const char *data, Py_ssize_t count, double now) except -1
    # What a stream that is secured does otherwise
    cdef int arrived(self, const char *bytes_, Py_ssize_t count, double now) except -1
    cdef int input_ended(self) except -1

    cdef int _deliver_early(self, bytes data) except -1
    cdef int _read(self, double now) except -1
    cdef int _fill(self, double now) except -1
    cdef int _read_failed(self, Py_ssize_t count) except -1
    cdef int _mute(self) except -1
    cdef Record *_spare(self) except? NULL
    cdef int _leave(self, Record *record, double deadline) except -1


cdef EpollStream new_stream(Sockets poller, object transport, int fd, Record *record)
cdef int set_up(EpollStream stream, Sockets poller, int fd, Record *record) except -1
