# The sockets of ours in one epoll set.

from libc.stdint cimport uint32_t

from ..asyncio.turn cimport Turn
from ._outgoing cimport Outgoing
from ._records cimport Records
from ._set cimport EpollSet

cdef enum:
    SCRATCH = 262144  # bytes of one recv


cdef class Sockets(EpollSet):
    cdef readonly Records records
    cdef char *scratch
    cdef object plain  # where content of secured streams is decrypted to
    cdef dict listeners  # those in the set, by number
    cdef list places  # listeners by the number that records know them by, until the last stream of theirs is gone
    cdef double _alarm  # when the loop will wake us for a record
    cdef object _timer
    cdef list _starved
    cdef readonly Turn turn

    cdef int adopt(self, int fd) except -1
    cdef int release(self, int fd) except -1
    cdef int settle(self, object acceptor) except -1
    cdef int listen(self, object acceptor, uint32_t events) except -1
    cdef int unlisten(self, object acceptor) except -1
    cdef int starve(self, object acceptor) except -1
    cdef int lay(self, int fd, double deadline) except -1
    cdef Outgoing awake(self, int fd, uint32_t generation)
    cdef int expire(self) except -1

    cdef int _feed(self) except -1
    cdef int _arm(self) except -1
    cdef int _end_at_rest(self, int fd) except -1
    cdef int _tell_deadline(self, object place, int fd) except -1
    cdef list _at_rest(self, object owner, bint dozing)
