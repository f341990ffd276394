# The system calls of the transport. Each returns what the system returned, or the negative error number.

from libc.stdint cimport uint32_t, uint64_t
from posix.types cimport off_t

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        uint64_t u64

    struct epoll_event:
        uint32_t events
        epoll_data_t data

    enum:
        EPOLLIN
        EPOLLOUT
        EPOLLERR
        EPOLLHUP
        EPOLLEXCLUSIVE
        EPOLL_CTL_ADD
        EPOLL_CTL_MOD
        EPOLL_CTL_DEL

cdef extern from "<sys/uio.h>" nogil:
    struct iovec:
        void *iov_base
        size_t iov_len

cdef extern from "<sys/socket.h>" nogil:
    ctypedef unsigned int socklen_t

    struct sockaddr_storage:
        unsigned short ss_family


cdef class Kernel:
    cdef int epoll_create1(self) noexcept
    cdef int epoll_ctl(self, int epoll, int operation, int fd, uint32_t events, uint64_t data) noexcept
    cdef int epoll_wait(self, int epoll, epoll_event *events, int room, int milliseconds) noexcept
    cdef Py_ssize_t recv(self, int fd, void *buffer, size_t room) noexcept
    cdef Py_ssize_t send(self, int fd, const void *data, size_t length) noexcept
    cdef Py_ssize_t sendmsg(self, int fd, iovec *pieces, size_t count) noexcept
    cdef Py_ssize_t sendfile(self, int fd, int source, off_t *offset, size_t count) noexcept
    cdef int accept4(self, int fd, sockaddr_storage *address, socklen_t *length) noexcept
    cdef int getsockname(self, int fd, sockaddr_storage *address, socklen_t *length) noexcept
    cdef int getpeername(self, int fd, sockaddr_storage *address, socklen_t *length) noexcept
    cdef int reset_at_close(self, int fd) noexcept
    cdef int pending_error(self, int fd) noexcept
    cdef int shutdown(self, int fd) noexcept
    cdef int close(self, int fd) noexcept
    cdef double clock(self) noexcept
