# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""One accepting socket, and what is the same for every stream that was accepted on it.

Several processes may wait on it: each new connection wakes one of them (EPOLLEXCLUSIVE), and a turn takes a bounded
number, so that the others get theirs. A process that has no descriptor or memory left stops asking until one of its
own sockets was closed, or a second has passed; who connects meanwhile waits in the system's queue.

A stream accepted here rests as a record, without an object. What a record has no room for is kept here once: owner and
water marks. Bytes make an object anew; an end or an error at rest needs none, unless a receiver was kept to be told.
"""

cimport cython
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF
from libc.errno cimport EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOTSOCK, EOPNOTSUPP

import os

from ..stream cimport Receiver
from ._address cimport keep_peer, kept_peer, local_name
from ._kernel cimport EPOLLEXCLUSIVE, EPOLLIN, sockaddr_storage, socklen_t
from ._sockets cimport Sockets
from ._records cimport Record, dozes
from ._secure cimport SecureStream, greet_peer, resume, stir
from ._stream cimport EpollStream, new_stream

cdef enum:
    BURST = 16  # connections taken in one turn

cdef double RETRY = 1.0  # seconds until a system that was short is asked again
cdef uint32_t _numbers = 0


@cython.no_gc_clear  # its methods rely on what it refers to, also while a cycle is taken apart
cdef class Listener:
    """Accepts on one listening socket, which it owns.

    Args:
        poller: whose set it joins.
        socket: listening, non-blocking.
        transport: of the streams.
        opened: called with each new stream.
        local: address of the streams on this side, None where they must be asked for it.
        tls: what secures them, a `TLS`; or None.
        proxies: `TrustedPeers` whose PROXY header comes before TLS, and nobody else; or None.
    """

    def __init__(self, Sockets poller not None, socket, transport, opened, local, tls=None, proxies=None):
        global _numbers
        _numbers = (_numbers + 1) & 0x3FFFFFFF
        self.number = _numbers
        self.poller = poller
        self.socket = socket
        self.fd = socket.fileno()
        self.transport = transport
        self.opened = opened
        self.local = local
        self.tls = tls
        self.proxies = proxies
        poller.settle(self)
        self._update()

    def pause(self):
        """Accept nobody until resumed. Idempotent."""
        self.paused = True
        self._update()

    def resume(self):
        """Accept again. Idempotent."""
        self.paused = False
        self._return()

    def close(self):
        """Stop accepting. Idempotent."""
        self.paused = True
        self._update()
        if self.fd >= 0:
            self.fd = -1
            self.socket.close()
            if not self.streams:
                self.poller.places[self.place] = None

    def recover(self):
        """Ask a system again that had no descriptor or memory left."""
        if self.starved:
            self.starved = False
            self._return()

    cdef int _return(self) except -1:
        """Be in the set again; a system may have no room for us just now, and is asked again later."""
        try:
            self._update()
        except OSError:
            self._starve()
        return 0

    cdef int _update(self) except -1:
        """Be in the set while connections are wanted. An exclusive entry cannot be changed, only made anew."""
        cdef bint wanted = not (self.paused or self.starved)
        if wanted == self.watched or self.fd < 0:
            return 0
        if wanted:
            self.poller.listen(self, EPOLLIN | EPOLLEXCLUSIVE)
        else:
            self.poller.unlisten(self)
        self.watched = wanted
        return 0

    cdef int ready(self, double now) except -1:
        cdef sockaddr_storage address
        cdef socklen_t length
        cdef int fd
        for _ in range(BURST):
            length = sizeof(address)
            fd = self.poller.kernel.accept4(self.fd, &address, &length)
            if fd >= 0:
                self._open(fd, &address, length)
            elif fd == -EAGAIN:
                return 0
            elif fd in (-EMFILE, -ENFILE, -ENOBUFS, -ENOMEM):
                return self._starve()
            elif fd in (-EBADF, -EFAULT, -EINVAL, -ENOTSOCK, -EOPNOTSUPP):
                self.pause()  # it is no listening socket any more
                raise OSError(-fd, os.strerror(-fd))
            # anything else is the failure of one connection, told late: accept(2)
            if not self.watched:
                return 0
        return 0

    cdef int _starve(self) except -1:
        self.starved = True
        self._update()
        self.poller.starve(self)
        self.poller.loop.call_later(RETRY, self.recover)
        return 0

    cdef int _open(self, int fd, sockaddr_storage *address, socklen_t length) except -1:
        """Announce the stream of a connection."""
        cdef EpollStream stream
        cdef Record *record
        cdef int error
        self.poller.adopt(fd)
        record = self.poller.records.get(fd)
        record.place = self.place
        self.streams += 1
        keep_peer(record, address, length)
        error = self.poller.watch(fd, EPOLLIN, record.generation)
        if error < 0:  # the set has no room, or the system no memory for it
            self.poller.release(fd)
            return self._starve()
        stream = self.make(fd, record)
        if self.tls is not None:  # announced when its handshake is done
            return (<SecureStream>stream).begin(self.proxies)
        try:
            self.opened(stream)
        except BaseException:
            stream.abort()
            raise
        return 0

    cdef EpollStream make(self, int fd, Record *record):
        """Return a stream for a record."""
        cdef EpollStream stream
        if record.secure != NULL:
            stream = resume(self.poller, self.transport, fd, record)
        elif self.tls is not None:
            stream = greet_peer(self.poller, self.transport, fd, record, self.tls, self.opened)
        else:
            stream = new_stream(self.poller, self.transport, fd, record)
        stream.peer = kept_peer(self.poller.kernel, fd, record)
        stream.local = local_name(self.poller.kernel, fd) if self.local is None else self.local
        stream.dozes = True
        return stream

    # Rest

    cdef bint keeps(self, EpollStream stream) except -1:
        """Whether a record and what is kept here are all there is to `stream`."""
        if self.owner is None:
            self.owner = stream.owner
            self.high = stream.high
            self.low = stream.low
        if stream.presented is not None:
            return False
        return self.owner is stream.owner and self.high == stream.high and self.low == stream.low

    cdef EpollStream wake(self, int fd, Record *record):
        """Return a stream anew for a record at rest, which bytes have come for."""
        cdef EpollStream stream
        cdef double deadline = record.deadline
        stream = self.make(fd, record)
        stream.rested_until = deadline
        stream.owner = self.owner
        stream.high = self.high
        stream.low = self.low
        return stream

    cdef EpollStream rouse(self, int fd, Record *record):
        """Return a stream anew for a record that dozes; its receiver has it."""
        cdef EpollStream stream
        cdef Receiver receiver = <Receiver>record.reader
        try:
            stream = self.wake(fd, record)
        finally:
            if record.reader != <PyObject *>receiver:
                Py_DECREF(receiver)  # the record's reference
        stream.receiver = receiver
        self.owner.roused(stream)
        receiver.woken(stream)
        return stream

    cdef int stir(self, int fd, Record *record, const char *data, Py_ssize_t count, double now) except -1:
        """Something came for a stream at rest: `count` bytes wake it, an end (0) or error (negative) ends it."""
        cdef EpollStream stream
        if count == -EAGAIN or count == -EINTR:
            return 0
        if dozes(record):
            stream = self.rouse(fd, record)
            stream.received(data, count, now)
        elif count > 0 and record.secure != NULL:
            stir(self, fd, record, data, count, now)
        elif count > 0:
            stream = self.wake(fd, record)
            stream.arrived(data, count, now)
        else:
            self.poller.release(fd)
            self.owner.lost_at_rest(1)
        return 0
