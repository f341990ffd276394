# An epoll set and its place in a loop.

from libc.stdint cimport uint32_t

from ._kernel cimport Kernel
from ._outgoing cimport Outgoing

cdef enum:
    FOREIGN = 0x80000000  # in the data word of an event: see `_poller.pyx`
    LISTENER = 0x40000000


cdef class EpollSet:
    cdef readonly Kernel kernel
    cdef readonly int fd
    cdef readonly bint embedded
    cdef double now  # of the last epoll_wait
    cdef object loop
    cdef bint _attached  # a foreign loop watches the epoll descriptor
    cdef bint _planned  # a foreign loop was asked to run what is pending
    cdef list _pending
    cdef bint gathering  # what is written now leaves together
    cdef list _gathered  # streams that wrote meanwhile

    cdef int watch(self, int fd, uint32_t events, uint32_t generation) noexcept
    cdef int change(self, int fd, uint32_t events, uint32_t generation) noexcept
    cdef int forget(self, int fd) noexcept
    cdef bint gather(self, Outgoing stream) except -1
    cdef int scatter(self) except -1
    cdef int _flush(self, Outgoing stream) except -1
    cdef int later(self, object item) except -1
    cdef int report(self, str message, object error) except -1
    cdef int receiver_failed(self, Outgoing stream, object error) except -1

    cdef int _run_pending(self) except -1
    cdef int _attach(self) except -1
    cdef int _detach(self) except -1
