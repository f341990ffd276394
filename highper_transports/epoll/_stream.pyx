# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""One socket of ours while somebody uses it.

Reading is one `recv` into the poller's scratch buffer per event and one bytes object of what came, or one `recv`
straight into an intake. Writing is one `send` at once; only what the system does not take is queued, and only then is
EPOLLOUT waited for. The end is never told inside the call that brought it about, but on the next pass.

    open -- close() --> CLOSING, until the queue is empty --> ending --> gone
      |-- abort(), an error: the queue is dropped ------------> ending --> gone

A socket that reports what nobody wants to know now, such as a hang-up while reading is paused, leaves the set until
somebody does; level-triggered, it would be told of again and again.
"""

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport EAGAIN, EINTR, ENOBUFS, ENOMEM, EPIPE
from libc.stdint cimport uint32_t
from posix.types cimport off_t

import os
from collections import deque

from .files import send_file

from ..stream cimport Receiver, Stream
from ._address cimport local_name, peer_name
from ._kernel cimport EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, iovec
from ._listener cimport Listener
from ._poller cimport SCRATCH, Poller
from ._records cimport Record

cdef enum:
    PIECES = 64  # of the queue in one sendmsg
    HIGH = 65536
    LOW = 16384

cdef double RETRY = 0.05  # seconds until a system that was short of memory is asked again


cdef bint _would_block(Py_ssize_t error) noexcept:
    return error == -EAGAIN or error == -EINTR


cdef bint _is_short(Py_ssize_t error) noexcept:
    """Whether the system had no memory just now: the socket says it is writable, and asking at once would be a spin."""
    return error == -ENOBUFS or error == -ENOMEM


@cython.no_gc_clear  # its methods rely on what it refers to, also while a cycle is taken apart
cdef class EpollStream(Stream):
    """A peer's bytes over a socket of ours. Made by `new_stream`."""

    # The poller's side

    cdef int ready(self, uint32_t events, double now) except -1:
        cdef int error
        if events == EPOLLIN and not self.deaf:
            return self._read(now)
        if self.ending:
            return 0
        if events & (EPOLLOUT | EPOLLERR | EPOLLHUP):
            if self.queued:
                self._flush()
            elif self.on_writable is not None:
                self._tell_writable()
            else:
                self._update()
            if self.ending:
                return 0
        if not self.deaf:
            if events & (EPOLLIN | EPOLLERR | EPOLLHUP):
                self._read(now)
        elif events & (EPOLLERR | EPOLLHUP):
            error = self.kernel.pending_error(self.fd) if events & EPOLLERR else 0
            if error:
                self.fail(-error)
            else:
                self._mute()
        else:
            self._update()
        return 0

    cdef int finish(self) except -1:
        """Close the socket, and tell the end."""
        cdef int fd = self.fd
        if fd < 0:
            return 0
        self.fd = -1
        if self.reset:
            self.kernel.reset_at_close(fd)
        self.poller.release(fd)
        error, self.error = self.error, None
        self._tell_writable()
        self.deliver_loss(error)
        return 0

    # Reading

    cdef int _read(self, double now) except -1:
        cdef Py_ssize_t count
        if self.intake is not None:
            return self._fill(now)
        count = self.kernel.recv(self.fd, self.poller.scratch, SCRATCH)
        if count > 0:
            return self.arrived(count, now)
        return self._read_failed(count)

    cdef int _fill(self, double now) except -1:
        cdef Py_buffer room
        cdef Py_ssize_t count
        intake = self.intake
        PyObject_GetBuffer(intake.room, &room, PyBUF_WRITABLE)
        count = self.kernel.recv(self.fd, room.buf, room.len)
        PyBuffer_Release(&room)
        if count <= 0:
            return self._read_failed(count)
        intake.advance(count)
        if not intake.missing:
            self.intake = None  # what follows the content goes where it belongs
        if self.receiver is not None:
            self.receiver.filled(count, now)
        return 0

    cdef int _read_failed(self, Py_ssize_t count) except -1:
        if count == 0:
            self.deaf |= ENDED
            self.input_ended()
            return self._update()
        if not _would_block(count):
            self.fail(count)
        return 0

    cdef int arrived(self, Py_ssize_t count, double now) except -1:
        """`count` bytes came and are in the poller's scratch buffer."""
        cdef bytes data = PyBytes_FromStringAndSize(self.poller.scratch, count)
        cdef Receiver receiver = self.receiver
        if receiver is None:
            receiver = self._wake()
        receiver.received(data, now)
        return 0

    cdef int input_ended(self) except -1:
        """The peer will send no more."""
        self.deliver_end()
        return 0

    cpdef object pause_reading(self):
        """Deliver no more bytes until resumed. The set is told when some come nevertheless."""
        self.deaf |= PAUSED

    cpdef object resume_reading(self):
        """Deliver bytes again."""
        if self.deaf & PAUSED:
            self.deaf &= ~PAUSED
            self._update()

    def receive_into(self, intake):
        """Write what comes into the room of `intake`, until it is full or None is given."""
        self.intake = intake if intake is not None and intake.missing else None

    # Writing

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
            sent = self.kernel.send(self.fd, PyBytes_AS_STRING(data), length)
            if sent == length:
                return 0
            if sent < 0:
                if _is_short(sent):
                    self._retry_soon()
                elif not _would_block(sent):
                    return self.fail(sent)
                sent = 0
        elif not length:
            return 0
        self._keep(data, sent)
        self._update()
        return self._press()

    cdef int _put_list(self, list data) except -1:
        cdef bint quiet = not self.queued
        for item in data:
            if item:
                self._keep(item if type(item) is bytes else bytes(item), 0)
        if quiet and self.queued:
            self._flush()
        return self._press()

    cdef int _keep(self, bytes data, Py_ssize_t offset) except -1:
        if self.queue is None:
            self.queue = deque()
        if not self.queued:
            self.offset = offset
        self.queue.append(data)
        self.queued += PyBytes_GET_SIZE(data) - offset
        return 0

    cdef int _flush(self) except -1:
        """Send what is queued."""
        cdef Py_ssize_t sent
        while self.queued:
            sent = self._send_queued()
            if sent < 0:
                if _is_short(sent):
                    self._retry_soon()
                elif not _would_block(sent):
                    return self.fail(sent)
                break
            self._drop(sent)
        self._relax()
        if not self.queued and not self.ending:
            self.queue = None
            if self.eof_written:
                self._shut()
            if self.deaf & CLOSING:
                return self.end(None)
        return self._update()

    cdef Py_ssize_t _send_queued(self) except? -1:
        cdef iovec pieces[PIECES]
        cdef Py_ssize_t index, count = min(<Py_ssize_t>len(self.queue), <Py_ssize_t>PIECES)
        cdef bytes piece
        for index in range(count):
            piece = self.queue[index]
            pieces[index].iov_base = PyBytes_AS_STRING(piece)
            pieces[index].iov_len = PyBytes_GET_SIZE(piece)
        pieces[0].iov_base = <char *>pieces[0].iov_base + self.offset
        pieces[0].iov_len -= self.offset
        return self.kernel.sendmsg(self.fd, pieces, count)

    cdef int _drop(self, Py_ssize_t count) except -1:
        """Forget `count` bytes of the queue, which were sent."""
        cdef Py_ssize_t left
        self.queued -= count
        while count:
            left = PyBytes_GET_SIZE(<bytes>self.queue[0]) - self.offset
            if count < left:
                self.offset += count
                return 0
            count -= left
            self.offset = 0
            self.queue.popleft()
        return 0

    def _retry_soon(self):
        if not self.short:
            self.short = True
            self.poller.loop.call_later(RETRY, self._retry)

    def _retry(self):
        self.short = False
        if self.queued and not self.ending:
            self._flush()

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
        self.on_writable = callback
        if callback is not None:  # else the next event finds nobody, and the set is told then
            self._update()
        return True

    @property
    def closed(self):
        """Whether nothing can be written any more."""
        return bool(self.deaf & CLOSING)

    cdef int _tell_writable(self) except -1:
        callback, self.on_writable = self.on_writable, None
        if callback is not None:
            callback()
        return 0

    # Rest and ends

    cpdef object rest(self, double deadline):
        """Have no receiver until bytes come, as a record alone where that says all."""
        cdef Record *record = self.poller.records.get(self.fd)
        cdef Listener place = None if record == NULL else self.poller.places[record.place]
        cdef int fd = self.fd
        if place is None or self.deaf or self.queued or self.eof_written or self.presented is not None:
            Stream.rest(self, deadline)
            return
        if not place.keeps(self):
            Stream.rest(self, deadline)
            return
        self._update()
        if self.ending:
            Stream.rest(self, deadline)
            return
        self.transport.timers.cancel(self)
        self.receiver = None
        self.owner = None
        self.intake = None
        self.fd = -1
        self.deaf = CLOSING
        record.stream = NULL
        self.poller.lay(fd, deadline)
        Py_DECREF(self)

    cpdef object close(self):
        """Close after what is queued was written."""
        if self.deaf & CLOSING:
            return
        self.deaf |= CLOSING
        if self.queued:
            self._update()
        else:
            self.end(None)

    cpdef object abort(self):
        """Close now, with a reset."""
        if self.ending or self.fd < 0:
            return
        self.deaf |= CLOSING
        self.reset = True
        self.end(None)

    cdef int fail(self, Py_ssize_t error) except -1:
        """End because of a system call's negative error number."""
        return self.end(None if self.deaf & CLOSING else OSError(-error, os.strerror(-error)))

    cdef int end(self, object error) except -1:
        """End on the next pass; what is queued is dropped."""
        if self.ending or self.fd < 0:
            return 0
        self.ending = True
        self.deaf |= CLOSING
        self.error = error
        self.queue = None
        self.queued = 0
        self.intake = None
        self.poller.later(self)
        return 0

    # The set

    cdef int _update(self) except -1:
        """Have the set wait for what is wanted now."""
        cdef uint32_t wanted = 0 if self.deaf else EPOLLIN
        cdef int error
        if self.queued and not self.short or self.on_writable is not None:
            wanted |= EPOLLOUT
        if self.ending or self.fd < 0 or wanted == self.watched and not self.muted:
            return 0
        if self.muted:
            if not wanted:
                return 0
            error = self.poller.watch(self.fd, wanted, self.generation)
        else:
            error = self.poller.change(self.fd, wanted, self.generation)
        if error < 0:
            return self.fail(error)
        self.muted = False
        self.watched = wanted
        return 0

    cdef int _mute(self) except -1:
        if not self.muted:
            self.muted = True
            self.watched = 0
            self.poller.forget(self.fd)
        return 0


cdef EpollStream new_stream(Poller poller, object transport, int fd, Record *record):
    """Return the stream of a descriptor that is in the set, waiting for EPOLLIN."""
    cdef EpollStream stream = EpollStream(transport)
    set_up(stream, poller, fd, record)
    return stream


cdef int set_up(EpollStream stream, Poller poller, int fd, Record *record) except -1:
    """Make a new stream that of a descriptor which is in the set, waiting for EPOLLIN."""
    stream.poller = poller
    stream.kernel = poller.kernel
    stream.fd = fd
    stream.generation = record.generation
    stream.watched = EPOLLIN
    stream.high = HIGH
    stream.low = LOW
    stream.fills = True
    stream.sends_files = True
    Py_INCREF(stream)
    record.stream = <PyObject *>stream
    return 0


def adopt(Poller poller not None, transport, int fd):
    """Return the stream of a connected, non-blocking socket, which it owns from now on.

    Raises:
        OSError: it cannot be watched, and was closed.
    """
    cdef EpollStream stream
    cdef Record *record
    cdef int error
    poller.adopt(fd)
    record = poller.records.get(fd)
    error = poller.watch(fd, EPOLLIN, record.generation)
    if error < 0:
        poller.release(fd)
        raise OSError(-error, os.strerror(-error))
    stream = new_stream(poller, transport, fd, record)
    stream.peer = peer_name(poller.kernel, fd)
    stream.local = local_name(poller.kernel, fd)
    return stream
