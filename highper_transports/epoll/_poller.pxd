# The turns of one loop.

from cpython.object cimport PyObject
from libc.stdint cimport uint32_t

from ._kernel cimport epoll_event
from ._sockets cimport Sockets

cdef enum:
    BATCH = 256  # events of one epoll_wait
    AHEAD = 65536  # bytes received for others first, after which each is received for in its turn
    TOGETHER = 64  # sockets served in one go, for which all is received before and sent after


cdef class Poller(Sockets):
    cdef bint _leaving
    cdef list _foreign  # ready descriptors of others, with their events
    cdef object _ready  # the queue of callbacks of a loop of ours
    cdef char *_early  # what was received for sockets that are served together
    cdef char *_undelivered  # the rest of it
    cdef Py_ssize_t _received[TOGETHER]  # bytes of each, 0 at its end, a negative error number, or NOT_ASKED
    cdef epoll_event _events[BATCH]

    cdef bint _is_wanted(self, list scheduled, PyObject *earliest) except -1
    cdef int _milliseconds(self, double deadline) noexcept
    cdef int _serve(self, int count) except -1
    cdef int _receive(self, int start, int end) noexcept
    cdef int _act(self, int start, int end) except -1
    cdef int _hold(self, int start, int end) except -1
    cdef int _serve_own(
        self, int fd, uint32_t generation, uint32_t events, const char *data, Py_ssize_t count
    ) except -1
    cdef int _go(self) except -1
    cdef int _accept(self, uint32_t number) except -1
