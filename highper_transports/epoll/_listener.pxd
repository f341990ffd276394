# One accepting socket.

from libc.stdint cimport uint16_t, uint32_t

from ._kernel cimport sockaddr_storage, socklen_t
from ._sockets cimport Sockets
from ._records cimport Record
from ._stream cimport EpollStream


cdef class Listener:
    cdef readonly Sockets poller
    cdef readonly int fd
    cdef readonly uint32_t number  # never used twice, so that a stale event finds nobody
    cdef object socket
    cdef object transport
    cdef object opened
    cdef object tls  # what secures its streams, or None
    cdef object proxies  # whose header comes before that, or None
    cdef object local  # address of every stream accepted here, None where it must be asked for
    cdef uint16_t place  # the number by which records know it
    cdef Py_ssize_t streams  # open ones that were accepted here
    cdef object owner  # of those at rest, and their water marks; known once one has rested
    cdef Py_ssize_t high
    cdef Py_ssize_t low
    cdef bint paused
    cdef bint starved
    cdef bint watched

    cdef int ready(self, double now) except -1
    cdef bint keeps(self, EpollStream stream) except -1
    cdef EpollStream wake(self, int fd, Record *record)
    cdef EpollStream rouse(self, int fd, Record *record)
    cdef int stir(self, int fd, Record *record, const char *data, Py_ssize_t count, double now) except -1
    cdef EpollStream make(self, int fd, Record *record)
    cdef int _open(self, int fd, sockaddr_storage *address, socklen_t length) except -1
    cdef int _starve(self) except -1
    cdef int _return(self) except -1
    cdef int _update(self) except -1
