# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""The writing half of a socket of ours.

Writing is one `send`, at once, or a few sockets later where many are served in one go: the system's code and ours each
run in a row then, which spares the processor fetching them anew for every answer. Only what the system does not take
stays queued, and only then is EPOLLOUT waited for. A file is moved by the system where it can, when nothing is queued.

What reads, what is watched and how a stream ends is the business of the stream that derives from this.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, ENOBUFS, ENOMEM, EPIPE
from posix.types cimport off_t

from collections import deque

from .files import send_file

from ..stream cimport Stream
from ._kernel cimport iovec

cdef enum:
    PIECES = 64  # of the queue in one sendmsg
    FEW = 16384  # bytes; more of them leave at once

cdef double RETRY = 0.05  # seconds until a system that was short of memory is asked again


cdef bint would_block(Py_ssize_t error) noexcept:
    return error == -EAGAIN or error == -EINTR


cdef bint _is_short(Py_ssize_t error) noexcept:
    """Whether the system had no memory just now: the socket says it is writable, and asking at once would be a spin."""
    return error == -ENOBUFS or error == -ENOMEM


@cython.no_gc_clear  # its methods rely on what it refers to, also while a cycle is taken apart
cdef class Outgoing(Stream):
    """What a stream writes through."""

    # What the stream does

    cdef int update(self) except -1:
        """Have the set wait for what is wanted now."""
        raise NotImplementedError

    cdef int end(self, object error) except -1:
        """End on the next pass; what is queued is dropped."""
        raise NotImplementedError

    cdef int fail(self, Py_ssize_t error) except -1:
        """End because of a system call's negative error number."""
        raise NotImplementedError

    cdef int finish(self) except -1:
        """Close the socket, and tell the end."""
        raise NotImplementedError

    cdef bint gather(self) except -1:
        """Return whether `flush` will be called in a moment."""
        raise NotImplementedError

    cdef int call_later(self, double delay, object callback) except -1:
        """Have the loop call back."""
        raise NotImplementedError

    # Bytes

    @property
    def unwritten(self):
        """Bytes accepted by `write` and not yet by the system."""
        return self.queued

    cpdef object write(self, object data):
        """Send bytes, or a list of bytes; queue what the system does not take."""
        if self.eof_written or self.deaf & CLOSING:
            return
        if type(data) is bytes:
            self.put(<bytes>data)
        elif isinstance(data, list):
            self._put_list(<list>data)
        else:
            self.put(bytes(data))

    cdef int put(self, bytes data) except -1:
        """Send bytes as they are."""
        cdef Py_ssize_t length = PyBytes_GET_SIZE(data), sent = 0
        if not self.queued:
            if not length:
                return 0
            if length <= FEW and self.gather():
                self.gathered = True
                return self._keep(data, 0)
            sent = self.kernel.send(self.fd, PyBytes_AS_STRING(data), length)
            if sent == length:
                return 0
            if sent < 0:
                if _is_short(sent):
                    self._retry_soon()
                elif not would_block(sent):
                    return self.fail(sent)
                sent = 0
        elif not length:
            return 0
        self._keep(data, sent)
        if not self.gathered:
            self.update()
        elif self.queued > FEW:
            self.flush()
        return self._press()

    cdef int _put_list(self, list data) except -1:
        cdef bint quiet = not self.queued or self.gathered
        for item in data:
            if item:
                self._keep(item if type(item) is bytes else bytes(item), 0)
        if quiet and self.queued:
            self.flush()
        return self._press()

    cdef int _keep(self, bytes data, Py_ssize_t offset) except -1:
        if not self.queued:
            self.first = data
            self.offset = offset
        else:
            if self.queue is None:
                self.queue = deque()
            self.queue.append(data)
        self.queued += PyBytes_GET_SIZE(data) - offset
        return 0

    cdef int flush(self) except -1:
        """Send what is queued."""
        cdef Py_ssize_t sent
        self.gathered = False
        while self.queued:
            sent = self._send_queued()
            if sent < 0:
                if _is_short(sent):
                    self._retry_soon()
                elif not would_block(sent):
                    return self.fail(sent)
                break
            self._drop(sent)
        self._relax()
        if not self.queued and not self.ending:
            if self.eof_written:
                self._shut()
            if self.deaf & CLOSING:
                return self.end(None)
        return self.update()

    cdef Py_ssize_t _send_queued(self) except? -1:
        cdef iovec pieces[PIECES]
        cdef Py_ssize_t index, count
        cdef bytes piece = self.first
        pieces[0].iov_base = PyBytes_AS_STRING(piece) + self.offset
        pieces[0].iov_len = PyBytes_GET_SIZE(piece) - self.offset
        if self.queue is None:
            return self.kernel.send(self.fd, <char *>pieces[0].iov_base, pieces[0].iov_len)
        count = min(1 + <Py_ssize_t>len(self.queue), <Py_ssize_t>PIECES)
        for index in range(1, count):
            piece = self.queue[index - 1]
            pieces[index].iov_base = PyBytes_AS_STRING(piece)
            pieces[index].iov_len = PyBytes_GET_SIZE(piece)
        return self.kernel.sendmsg(self.fd, pieces, count)

    cdef int _drop(self, Py_ssize_t count) except -1:
        """Forget `count` bytes of the queue, which were sent."""
        cdef Py_ssize_t left
        self.queued -= count
        while count:
            left = PyBytes_GET_SIZE(self.first) - self.offset
            if count < left:
                self.offset += count
                return 0
            count -= left
            self.offset = 0
            self.first = self.queue.popleft() if self.queue else None
        if not self.queue:
            self.queue = None
        return 0

    cdef int _retry_soon(self) except -1:
        if not self.short:
            self.short = True
            self.call_later(RETRY, self._retry)
        return 0

    def _retry(self):
        self.short = False
        if self.queued and not self.ending:
            self.flush()

    cdef int _press(self) except -1:
        if not self.pressed and self.queued > self.high and not self.ending:
            self.pressed = True
            self.deliver_pressure(True)
        return 0

    cdef int _relax(self) except -1:
        if self.pressed and self.queued <= self.low and not self.ending:
            self.pressed = False
            self.deliver_pressure(False)
        return 0

    def limit_writes(self, Py_ssize_t high, Py_ssize_t low):
        """Set the water marks of the write buffer."""
        self.high = high
        self.low = low
        if self.fd >= 0:
            self._press()

    cpdef object write_eof(self):
        """Send end of input after what is queued."""
        if not (self.eof_written or self.deaf & CLOSING):
            self.put_end()

    cdef int put_end(self) except -1:
        """Send end of input after what is queued, as it is."""
        self.eof_written = True
        return 0 if self.queued else self._shut()

    cdef int _shut(self) except -1:
        cdef int error = self.kernel.shutdown(self.fd)
        if error < 0:  # it was reset, and nobody has read so
            self.fail(self.kernel.pending_error(self.fd) or error)
        return 0

    # Files

    def send_file(self, file, Py_ssize_t offset, Py_ssize_t length, double timeout=30.0):
        """Move `length` bytes of `file` from `offset` by sendfile, or by copying where that does not work."""
        return send_file(self, file, offset, length, timeout)

    def send_from(self, int source, Py_ssize_t offset, Py_ssize_t length):
        """Send some bytes of a file, nothing being queued; return how many, or a negative error number."""
        cdef off_t start = offset
        if self.eof_written or self.deaf & CLOSING:
            return -EPIPE
        return self.kernel.sendfile(self.fd, source, &start, length)

    def when_writable(self, callback):
        """Call back once: when nothing is queued and the peer takes more, or the stream ends. None to forget it.

        Returns:
            False if the stream has ended, and nobody will be called.
        """
        if self.deaf & CLOSING:
            return False
        if self.gathered:
            self.flush()
        self.on_writable = callback
        if callback is not None:  # else the next event finds nobody, and the set is told then
            self.update()
        return True

    @property
    def closed(self):
        """Whether nothing can be written any more."""
        return bool(self.deaf & CLOSING)

    cdef void disown(self) noexcept:
        """Never touch the descriptor again: its socket was closed with all others."""
        self.fd = -1
        self.deaf |= CLOSING

    cdef int tell_writable(self) except -1:
        callback, self.on_writable = self.on_writable, None
        if callback is not None:
            callback()
        return 0
