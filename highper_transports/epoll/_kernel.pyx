# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""The system calls of the transport, in one class, so that a test can put another in its place.

No method raises: what went wrong is the negative error number. Sockets never block; `epoll_wait` may, and lets other
threads run meanwhile.
"""

from libc.errno cimport errno
from libc.stdint cimport uint32_t, uint64_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec
from posix.types cimport off_t

cdef extern from "<sys/epoll.h>" nogil:
    int EPOLL_CLOEXEC
    int c_epoll_create1 "epoll_create1"(int flags)
    int c_epoll_ctl "epoll_ctl"(int epoll, int operation, int fd, epoll_event *event)
    int c_epoll_wait "epoll_wait"(int epoll, epoll_event *events, int room, int milliseconds)

cdef extern from "<sys/sendfile.h>" nogil:
    Py_ssize_t c_sendfile "sendfile"(int fd, int source, off_t *offset, size_t count)

cdef extern from "<sys/socket.h>" nogil:
    int MSG_NOSIGNAL, SHUT_WR, SOCK_CLOEXEC, SOCK_NONBLOCK, SOL_SOCKET, SO_ERROR, SO_LINGER

    struct sockaddr:
        pass

    struct linger:
        int l_onoff
        int l_linger

    struct msghdr:
        iovec *msg_iov
        size_t msg_iovlen

    Py_ssize_t c_recv "recv"(int fd, void *buffer, size_t room, int flags)
    Py_ssize_t c_send "send"(int fd, const void *data, size_t length, int flags)
    Py_ssize_t c_sendmsg "sendmsg"(int fd, msghdr *message, int flags)
    int c_accept4 "accept4"(int fd, sockaddr *address, socklen_t *length, int flags)
    int c_getsockname "getsockname"(int fd, sockaddr *address, socklen_t *length)
    int c_getpeername "getpeername"(int fd, sockaddr *address, socklen_t *length)
    int c_getsockopt "getsockopt"(int fd, int level, int name, void *value, socklen_t *length)
    int c_setsockopt "setsockopt"(int fd, int level, int name, const void *value, socklen_t length)
    int c_shutdown "shutdown"(int fd, int how)

cdef extern from "<unistd.h>" nogil:
    int c_close "close"(int fd)

cdef extern from "<string.h>" nogil:
    void *memset(void *memory, int value, size_t length)


cdef class Kernel:
    """The Linux kernel."""

    cdef int epoll_create1(self) noexcept:
        cdef int result = c_epoll_create1(EPOLL_CLOEXEC)
        return -errno if result < 0 else result

    cdef int epoll_ctl(self, int epoll, int operation, int fd, uint32_t events, uint64_t data) noexcept:
        cdef epoll_event event
        event.events = events
        event.data.u64 = data
        return -errno if c_epoll_ctl(epoll, operation, fd, &event) < 0 else 0

    cdef int epoll_wait(self, int epoll, epoll_event *events, int room, int milliseconds) noexcept:
        cdef int result, error
        if milliseconds == 0:
            result = c_epoll_wait(epoll, events, room, 0)
            return -errno if result < 0 else result
        with nogil:
            result = c_epoll_wait(epoll, events, room, milliseconds)
            error = errno  # taking the lock again may change it
        return -error if result < 0 else result

    cdef Py_ssize_t recv(self, int fd, void *buffer, size_t room) noexcept:
        cdef Py_ssize_t result = c_recv(fd, buffer, room, 0)
        return -errno if result < 0 else result

    cdef Py_ssize_t send(self, int fd, const void *data, size_t length) noexcept:
        cdef Py_ssize_t result = c_send(fd, data, length, MSG_NOSIGNAL)
        return -errno if result < 0 else result

    cdef Py_ssize_t sendmsg(self, int fd, iovec *pieces, size_t count) noexcept:
        cdef msghdr message
        cdef Py_ssize_t result
        memset(&message, 0, sizeof(message))
        message.msg_iov = pieces
        message.msg_iovlen = count
        result = c_sendmsg(fd, &message, MSG_NOSIGNAL)
        return -errno if result < 0 else result

    cdef Py_ssize_t sendfile(self, int fd, int source, off_t *offset, size_t count) noexcept:
        cdef Py_ssize_t result
        cdef int error
        with nogil:  # it may read from a disk
            result = c_sendfile(fd, source, offset, count)
            error = errno
        return -error if result < 0 else result

    cdef int accept4(self, int fd, sockaddr_storage *address, socklen_t *length) noexcept:
        cdef int result = c_accept4(fd, <sockaddr *>address, length, SOCK_NONBLOCK | SOCK_CLOEXEC)
        return -errno if result < 0 else result

    cdef int getsockname(self, int fd, sockaddr_storage *address, socklen_t *length) noexcept:
        return -errno if c_getsockname(fd, <sockaddr *>address, length) < 0 else 0

    cdef int getpeername(self, int fd, sockaddr_storage *address, socklen_t *length) noexcept:
        return -errno if c_getpeername(fd, <sockaddr *>address, length) < 0 else 0

    cdef int reset_at_close(self, int fd) noexcept:
        """Have `close` drop what is unsent, and reset the peer."""
        cdef linger off
        off.l_onoff = 1
        off.l_linger = 0
        return -errno if c_setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off)) < 0 else 0

    cdef int pending_error(self, int fd) noexcept:
        """Return the error number a socket holds, and clear it; 0 for none."""
        cdef int error = 0
        cdef socklen_t length = sizeof(error)
        return errno if c_getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 else error

    cdef int shutdown(self, int fd) noexcept:
        return -errno if c_shutdown(fd, SHUT_WR) < 0 else 0

    cdef int close(self, int fd) noexcept:
        return -errno if c_close(fd) < 0 else 0

    cdef double clock(self) noexcept:
        cdef timespec now
        clock_gettime(CLOCK_MONOTONIC, &now)
        return now.tv_sec + now.tv_nsec * 1e-9
