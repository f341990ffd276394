# The epoll set of one loop, and who is served from it.

from cpython.object cimport PyObject
from libc.stdint cimport uint32_t

from ._kernel cimport epoll_event
from ._records cimport Records
from ._set cimport EpollSet

cdef enum:
    BATCH = 256  # events of one epoll_wait
    SCRATCH = 65536  # bytes of one recv
    TOGETHER = 32  # sockets served in one go, for which all is received before and sent after


cdef class Poller(EpollSet):
    cdef readonly Records records
    cdef char *scratch
    cdef char *_early  # what was received for sockets that are served together
    cdef Py_ssize_t _received[TOGETHER]  # bytes of each, 0 at its end, a negative error number, or NOT_ASKED
    cdef object plain  # where content of secured streams is decrypted to
    cdef bint _leaving
    cdef list _foreign  # ready descriptors of others, with their events
    cdef object _ready  # the queue of callbacks of a loop of ours
    cdef double _alarm  # when the loop will wake us for a record
    cdef object _timer
    cdef dict _listeners  # those in the set, by number
    cdef list places  # listeners by the number that records know them by, until the last stream of theirs is gone
    cdef list _starved
    cdef epoll_event _events[BATCH]

    cdef int adopt(self, int fd) except -1
    cdef int release(self, int fd) except -1
    cdef int settle(self, object acceptor) except -1
    cdef int listen(self, object acceptor, uint32_t events) except -1
    cdef int unlisten(self, object acceptor) except -1
    cdef int starve(self, object acceptor) except -1
    cdef int lay(self, int fd, double deadline) except -1

    cdef int _feed(self) except -1
    cdef bint _is_wanted(self, list scheduled, PyObject *earliest) except -1
    cdef int _milliseconds(self, double deadline) noexcept
    cdef int _serve(self, int count) except -1
    cdef int _receive(self, int start, int end) noexcept
    cdef int _act(self, int start, int end) except -1
    cdef int _serve_own(self, int fd, uint32_t generation, uint32_t events, char *early, Py_ssize_t count) except -1
    cdef int _accept(self, uint32_t number) except -1
    cdef int _arm(self) except -1
    cdef int _expire(self) except -1
    cdef int _end_at_rest(self, int fd) except -1
