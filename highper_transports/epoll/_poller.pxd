# The epoll set of one loop.

from cpython.object cimport PyObject
from libc.stdint cimport uint32_t, uint64_t

from ._kernel cimport Kernel, epoll_event
from ._records cimport Records

cdef enum:
    BATCH = 256  # events of one epoll_wait
    SCRATCH = 65536  # bytes of one recv


cdef class Poller:
    cdef readonly Kernel kernel
    cdef readonly Records records
    cdef readonly int fd
    cdef readonly bint embedded
    cdef double now  # of the last epoll_wait
    cdef char *scratch
    cdef object plain  # where content of secured streams is decrypted to
    cdef object loop
    cdef bint _attached  # a foreign loop watches the epoll descriptor
    cdef bint _leaving
    cdef bint _planned  # a foreign loop was asked to run what is pending
    cdef list _pending
    cdef list _foreign  # ready descriptors of others, with their events
    cdef object _ready  # the queue of callbacks of a loop of ours
    cdef double _alarm  # when the loop will wake us for a record
    cdef object _timer
    cdef dict _listeners  # those in the set, by number
    cdef list places  # listeners by the number that records know them by, until the last stream of theirs is gone
    cdef list _starved
    cdef epoll_event _events[BATCH]

    cdef int watch(self, int fd, uint32_t events, uint32_t generation) noexcept
    cdef int change(self, int fd, uint32_t events, uint32_t generation) noexcept
    cdef int forget(self, int fd) noexcept
    cdef int adopt(self, int fd) except -1
    cdef int release(self, int fd) except -1
    cdef int settle(self, object acceptor) except -1
    cdef int listen(self, object acceptor, uint32_t events) except -1
    cdef int unlisten(self, object acceptor) except -1
    cdef int starve(self, object acceptor) except -1
    cdef int later(self, object item) except -1
    cdef int lay(self, int fd, double deadline) except -1
    cdef int report(self, str message, object error) except -1

    cdef int _feed(self) except -1
    cdef bint _is_wanted(self, list scheduled, PyObject *earliest) except -1
    cdef int _milliseconds(self, double deadline) noexcept
    cdef int _serve(self, int count) except -1
    cdef int _serve_own(self, int fd, uint32_t generation, uint32_t events) except -1
    cdef int _accept(self, uint32_t number) except -1
    cdef int _run_pending(self) except -1
    cdef int _arm(self) except -1
    cdef int _expire(self) except -1
    cdef int _end_at_rest(self, int fd) except -1
    cdef int _attach(self) except -1
    cdef int _detach(self) except -1
