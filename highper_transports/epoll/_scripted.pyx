# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""A kernel that a script can make fail, for tests: every call is put to the script before it is made.

The calls are real where the script lets them be, so that what it makes up is what a kernel could have said: a short
read leaves the rest in the socket, an error leaves everything as it was.
"""

from libc.stdint cimport uint32_t, uint64_t
from posix.types cimport off_t

from ._kernel cimport (
    EPOLL_CTL_DEL,
    EPOLL_CTL_MOD,
    Kernel,
    epoll_event,
    iovec,
    sockaddr_storage,
    socklen_t,
)


cdef class ScriptedKernel(Kernel):
    """The Linux kernel, as far as a script lets it.

    Args:
        script: `call(name, fd, amount)` returns how much of `amount` the call may do (bytes, events, 1 for what is done
            or not), or a negative error number; `accepted(fd)` learns of a new socket; `strays(kernel)` returns events
            that nothing has caused, triples of place in the batch, data word and event bits.

    Attributes:
        words: data word of every descriptor in a set.
        past: data words that were replaced or taken out, the last last.
        error: what the script raised, if it did; it has let everything be from then on.
    """

    cdef readonly object script
    cdef readonly dict words
    cdef readonly list past
    cdef readonly object error

    def __init__(self, script):
        self.script = script
        self.words = {}
        self.past = []
        self.error = None

    cdef Py_ssize_t _ask(self, str name, int fd, Py_ssize_t amount) noexcept:
        if self.error is not None:
            return amount
        try:
            return self.script.call(name, fd, amount)
        except BaseException as error:
            self.error = error
            return amount

    cdef list _strays(self):
        if self.error is not None:
            return []
        try:
            return self.script.strays(self)
        except BaseException as error:
            self.error = error
            return []

    cdef int epoll_ctl(self, int epoll, int operation, int fd, uint32_t events, uint64_t data) noexcept:
        cdef Py_ssize_t allowed = 1
        cdef int result
        if operation != EPOLL_CTL_DEL and not (<uint32_t>data) >> 31:  # other people's descriptors are left alone
            allowed = self._ask("change" if operation == EPOLL_CTL_MOD else "watch", fd, 1)
            if allowed < 0:
                return allowed
        result = Kernel.epoll_ctl(self, epoll, operation, fd, events, data)
        if result == 0:
            former = self.words.pop(fd, None)
            if former is not None and former != data:
                self.past.append(former)
            if operation != EPOLL_CTL_DEL:
                self.words[fd] = data
        return result

    cdef int epoll_wait(self, int epoll, epoll_event *events, int room, int milliseconds) noexcept:
        cdef Py_ssize_t allowed = self._ask("wait", epoll, room)
        cdef int count
        if allowed < 0:
            return allowed
        strays = self._strays()
        count = Kernel.epoll_wait(self, epoll, events, allowed, 0 if strays else milliseconds)
        if count < 0:
            return count
        for place, word, bits in strays:
            if count < room:
                place = min(<int>place, count)
                events[count] = events[<int>place]
                events[<int>place].data.u64 = word
                events[<int>place].events = bits
                count += 1
        return count

    cdef Py_ssize_t recv(self, int fd, void *buffer, size_t room) noexcept:
        cdef Py_ssize_t allowed = self._ask("recv", fd, room)
        return allowed if allowed < 0 else Kernel.recv(self, fd, buffer, allowed)

    cdef Py_ssize_t send(self, int fd, const void *data, size_t length) noexcept:
        cdef Py_ssize_t allowed = self._ask("send", fd, length)
        return allowed if allowed < 0 else Kernel.send(self, fd, data, allowed)

    cdef Py_ssize_t sendmsg(self, int fd, iovec *pieces, size_t count) noexcept:
        cdef size_t index, total = 0
        cdef Py_ssize_t allowed
        for index in range(count):
            total += pieces[index].iov_len
        allowed = self._ask("sendmsg", fd, total)
        if allowed < 0:
            return allowed
        for index in range(count):
            if <size_t>allowed <= pieces[index].iov_len:
                pieces[index].iov_len = allowed
                return Kernel.sendmsg(self, fd, pieces, index + 1)
            allowed -= pieces[index].iov_len
        return Kernel.sendmsg(self, fd, pieces, count)

    cdef Py_ssize_t sendfile(self, int fd, int source, off_t *offset, size_t count) noexcept:
        cdef Py_ssize_t allowed = self._ask("sendfile", fd, count)
        return allowed if allowed < 0 else Kernel.sendfile(self, fd, source, offset, allowed)

    cdef int accept4(self, int fd, sockaddr_storage *address, socklen_t *length) noexcept:
        cdef Py_ssize_t allowed = self._ask("accept", fd, 1)
        cdef int accepted
        if allowed < 0:
            return allowed
        accepted = Kernel.accept4(self, fd, address, length)
        if accepted >= 0 and self.error is None:
            try:
                self.script.accepted(accepted)
            except BaseException as error:
                self.error = error
        return accepted

    cdef int getsockname(self, int fd, sockaddr_storage *address, socklen_t *length) noexcept:
        cdef Py_ssize_t allowed = self._ask("getsockname", fd, 1)
        return allowed if allowed < 0 else Kernel.getsockname(self, fd, address, length)

    cdef int getpeername(self, int fd, sockaddr_storage *address, socklen_t *length) noexcept:
        cdef Py_ssize_t allowed = self._ask("getpeername", fd, 1)
        return allowed if allowed < 0 else Kernel.getpeername(self, fd, address, length)

    cdef int reset_at_close(self, int fd) noexcept:
        cdef Py_ssize_t allowed = self._ask("reset_at_close", fd, 1)
        return allowed if allowed < 0 else Kernel.reset_at_close(self, fd)

    cdef int shutdown(self, int fd) noexcept:
        cdef Py_ssize_t allowed = self._ask("shutdown", fd, 1)
        return allowed if allowed < 0 else Kernel.shutdown(self, fd)

    cdef int close(self, int fd) noexcept:
        """Close in any case, as Linux does, whatever is said about it."""
        cdef Py_ssize_t allowed = self._ask("close", fd, 1)
        cdef int result = Kernel.close(self, fd)
        return allowed if allowed < 0 else result
