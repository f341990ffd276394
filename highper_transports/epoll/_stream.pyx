# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""One socket of ours while somebody uses it.

Reading is one `recv` into a buffer of the poller's per event and one bytes object of what came, or one `recv`
straight into an intake; how it writes is told in `_outgoing.pyx`. The end is never told inside the call that brought it
about, but on the next pass.

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
from libc.stdint cimport uint32_t

import os

from ..stream cimport Receiver, Stream
from ._address cimport local_name, peer_name
from ._kernel cimport EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT
from ._listener cimport Listener
from ._outgoing cimport CLOSING, ENDED, PAUSED, Outgoing, would_block
from ._sockets cimport SCRATCH, Sockets
from ._records cimport Record

cdef enum:
    HIGH = 65536
    LOW = 16384


@cython.no_gc_clear  # its methods rely on what it refers to, also while a cycle is taken apart
cdef class EpollStream(Outgoing):
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
                self.flush()
            elif self.on_writable is not None:
                self.tell_writable()
            else:
                self.update()
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
            self.update()
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
        self.tell_writable()
        self.deliver_loss(error)
        return 0

    # Reading

    cdef int _read(self, double now) except -1:
        cdef Py_ssize_t count
        if self.expecting or self.early is not None:
            return 0  # what comes before has to be delivered first; the set will tell again
        if self.intake is not None:
            return self._fill(now)
        count = self.kernel.recv(self.fd, self.poller.scratch, SCRATCH)
        if count > 0:
            return self.arrived(self.poller.scratch, count, now)
        return self._read_failed(count)

    cdef bint expects(self) noexcept:
        """Whether bytes may be received for it now, and delivered when others were served; if so, they have to be."""
        if self.deaf or self.expecting or self.intake is not None or self.early is not None:
            return False
        self.expecting = True
        return True

    cpdef bint give_way(self) except -1:
        """Let those come as far first who are served in the same go."""
        return self.poller.turn.give_way(self)

    cdef int received(self, const char *data, Py_ssize_t count, double now) except -1:
        """`count` bytes were received before others were served, the end (0), or an error (negative)."""
        self.expecting = False
        if count >= 0 and (self.deaf or self.intake is not None):
            return self.hold(data, count)
        return self.arrived(data, count, now) if count > 0 else self._read_failed(count)

    cdef int hold(self, const char *data, Py_ssize_t count) except -1:
        """Keep `count` bytes until they are wanted; an end of input (0) will be found again."""
        self.expecting = False
        if count and not self.deaf & CLOSING:
            self.early = data[:count]
            self.poller.later(self._catch_up_early)
        return 0

    def _catch_up_early(self):
        """Deliver what was received before somebody, who was served in the same go, changed what this stream wants."""
        if self.early is None or self.deaf & PAUSED:
            return
        data, self.early = self.early, None
        try:
            self._deliver_early(data)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.poller.receiver_failed(self, error)

    cdef int _deliver_early(self, bytes data) except -1:
        cdef Py_ssize_t count
        intake = self.intake
        if intake is None:
            return self.arrived(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), self.poller.now)
        count = min(<Py_ssize_t>intake.missing, PyBytes_GET_SIZE(data))
        intake.room[:count] = data[:count]
        intake.advance(count)
        if not intake.missing:
            self.intake = None
        if count < PyBytes_GET_SIZE(data):
            self.early = data[count:]
            self.poller.later(self._catch_up_early)
        if self.receiver is not None:
            self.receiver.filled(count, self.poller.now)
        return 0

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
            return self.update()
        if not would_block(count):
            self.fail(count)
        return 0

    cdef int arrived(self, const char *bytes_, Py_ssize_t count, double now) except -1:
        """`count` bytes came."""
        cdef bytes data = PyBytes_FromStringAndSize(bytes_, count)
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
            self.update()
            if self.early is not None:
                self.poller.later(self._catch_up_early)

    def receive_into(self, intake):
        """Write what comes into the room of `intake`, until it is full or None is given."""
        self.intake = intake if intake is not None and intake.missing else None

    # Rest and ends

    cpdef object rest(self, double deadline):
        """Have no receiver until bytes come, as a record alone where that says all."""
        cdef Record *record = self._spare()
        if record == NULL or not (<Listener>self.poller.places[record.place]).keeps(self):
            Stream.rest(self, deadline)
            return
        self.receiver = None
        self._leave(record, deadline)

    cpdef int doze(self, double deadline) except? -1:
        """Be a record and a receiver alone, where those say all."""
        cdef int fd = self.fd
        cdef Record *record
        owner = self.owner
        if self.receiver is None or self.expecting or self.intake is not None or self.on_writable is not None:
            return -1
        record = self._spare()
        if record == NULL or owner is None or (<Listener>self.poller.places[record.place]).owner is not owner:
            return -1
        self._leave(record, deadline)
        owner.dozed(self)
        return fd

    cdef Record *_spare(self) except? NULL:
        """Return the record that can stand for this object, NULL where none can."""
        cdef Record *record = self.poller.records.get(self.fd)
        if record == NULL or self.poller.places[record.place] is None:
            return NULL
        if self.deaf or self.queued or self.eof_written or self.early or self.presented is not None:
            return NULL
        self.update()
        return NULL if self.ending else record

    cdef int _leave(self, Record *record, double deadline) except -1:
        """Leave the socket, and the receiver if there is one, to the record."""
        cdef int fd = self.fd
        cdef Receiver receiver = self.receiver
        self.transport.timers.cancel(self)
        self.receiver = None
        self.owner = None
        self.intake = None
        self.fd = -1
        self.deaf = CLOSING
        record.reader = NULL
        if receiver is not None:
            Py_INCREF(receiver)
            record.reader = <PyObject *>receiver
        self.poller.lay(fd, deadline)
        Py_DECREF(self)
        return 0

    cpdef object close(self):
        """Close after what is queued was written."""
        if self.deaf & CLOSING:
            return
        self.deaf |= CLOSING
        if self.queued:
            self.update()
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
        self.first = None
        self.queue = None
        self.queued = 0
        self.intake = None
        self.early = None
        self.poller.later(self)
        return 0

    # The set

    cdef int update(self) except -1:
        """Have the set wait for what is wanted now."""
        cdef uint32_t wanted = 0 if self.deaf else EPOLLIN
        cdef int error
        if self.queued and not (self.short or self.gathered) or self.on_writable is not None:
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

    cdef bint gather(self) except -1:
        return self.poller.gather(self)

    cdef int call_later(self, double delay, object callback) except -1:
        self.poller.loop.call_later(delay, callback)
        return 0

    cdef int _mute(self) except -1:
        if not self.muted:
            self.muted = True
            self.watched = 0
            self.poller.forget(self.fd)
        return 0


cdef EpollStream new_stream(Sockets poller, object transport, int fd, Record *record):
    """Return the stream of a descriptor that is in the set, waiting for EPOLLIN."""
    cdef EpollStream stream = EpollStream(transport)
    set_up(stream, poller, fd, record)
    return stream


cdef int set_up(EpollStream stream, Sockets poller, int fd, Record *record) except -1:
    """Make a new stream that of a descriptor which is in the set, waiting for EPOLLIN. The record is awake then."""
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
    record.reader = <PyObject *>stream
    poller.records.take(fd)
    return 0


def absent(transport):
    """Return a stream that is gone, for somebody whose socket was closed with the poller."""
    cdef EpollStream stream = EpollStream(transport)
    stream.fd = -1
    stream.deaf = CLOSING
    stream.ending = True
    return stream


def adopt(Sockets poller not None, transport, int fd):
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
