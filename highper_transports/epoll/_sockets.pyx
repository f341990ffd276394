# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""The sockets of ours in one epoll set: those that are open, those that accept, and the deadlines of those at rest."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from libc.errno cimport ENOSPC
from libc.math cimport INFINITY
from libc.stdint cimport uint16_t, uint32_t, uint64_t

import os

from ..stream cimport Receiver
from ._kernel cimport EPOLL_CTL_ADD, Kernel
from ._listener cimport Listener
from ._outgoing cimport Outgoing
from ._records cimport RESTING, Record, Records, dozes, stream_of
from ._secure cimport part
from ._set cimport LISTENER, EpollSet

cdef enum:
    EXPIRING = 256  # records whose deadline has passed, ended in one go


@cython.no_gc_clear  # its methods rely on what it refers to, also while a cycle is taken apart
cdef class Sockets(EpollSet):
    """An epoll set and the sockets of ours that are in it. Made as an `EpollSet` is.

    Attributes:
        records: of our open sockets.
    """

    def __cinit__(self, loop, bint embedded, Kernel kernel=None):
        self.records = Records(self.now)
        self._alarm = INFINITY
        self.listeners = {}
        self.places = [None]
        self._starved = []
        self.turn = Turn()
        self.scratch = <char *>PyMem_Malloc(SCRATCH)
        if self.scratch == NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.scratch)

    # Sockets of ours

    cdef int adopt(self, int fd) except -1:
        """Have a record of a socket that was just opened."""
        self.records.add(fd)
        if self.embedded and not self._attached:
            self._attach()
        return 0

    cdef int release(self, int fd) except -1:
        """Close a socket of ours. It leaves the set first, for a child process may hold a copy of it."""
        cdef Record *record = self.records.get(fd)
        cdef Listener place = None if record == NULL else self.places[record.place]
        self.forget(fd)
        self.records.remove(fd)
        self.kernel.close(fd)
        if place is not None:
            place.streams -= 1
            if not place.streams and place.fd < 0:
                self.places[place.place] = None
        if self._starved:
            self._feed()
        if self.embedded and self._attached and not self.records.open and not self.listeners:
            self._detach()
        return 0

    def close(self):
        """Close every socket of ours, and the set. Whoever waits on them is not told."""
        cdef int fd = self.records.next_open(-1)
        cdef PyObject *stream
        while fd >= 0:
            stream = stream_of(self.records.get(fd))
            if stream != NULL:
                (<Outgoing>stream).disown()
            self.kernel.close(fd)
            self.records.remove(fd)
            fd = self.records.next_open(fd)
        for listener in list(self.listeners.values()):
            (<Listener>listener).close()
        if self._attached:
            self._detach()
        self._pending.clear()
        if self.fd >= 0:
            self.kernel.close(self.fd)
            self.fd = -1

    # Listeners

    cdef int settle(self, object acceptor) except -1:
        """Give a `Listener` a number that records know it by.

        Raises:
            OSError: there are too many.
        """
        cdef Py_ssize_t index
        for index in range(1, len(self.places)):
            if self.places[index] is None:
                break
        else:
            index = len(self.places)
            if index > 0xFFFF:
                raise OSError(ENOSPC, "too many listeners")
            self.places.append(None)
        self.places[index] = acceptor
        (<Listener>acceptor).place = <uint16_t>index
        return 0

    cdef int listen(self, object acceptor, uint32_t events) except -1:
        """Add a `Listener` to the set."""
        cdef Listener listener = acceptor
        cdef uint64_t word = LISTENER | listener.number
        cdef int error = self.kernel.epoll_ctl(self.fd, EPOLL_CTL_ADD, listener.fd, events, word)
        if error < 0:
            raise OSError(-error, os.strerror(-error))
        self.listeners[listener.number] = listener
        if self.embedded and not self._attached:
            self._attach()
        return 0

    cdef int unlisten(self, object acceptor) except -1:
        """Take a `Listener` out of the set."""
        cdef Listener listener = acceptor
        if self.listeners.pop(listener.number, None) is not None:
            self.forget(listener.fd)
        if self.embedded and self._attached and not self.records.open and not self.listeners:
            self._detach()
        return 0

    cdef int starve(self, object acceptor) except -1:
        """A listener that found no descriptor, or no memory, waits until one of ours is closed, or a second."""
        self._starved.append(acceptor)
        return 0

    cdef int _feed(self) except -1:
        starved, self._starved = self._starved, []
        for listener in starved:
            (<Listener>listener).recover()
        return 0

    # Deadlines of records

    cdef int lay(self, int fd, double deadline) except -1:
        """Let a socket rest until `deadline`."""
        self.records.lay(fd, deadline)
        if deadline < self._alarm:
            self._arm()
        return 0

    cdef int _arm(self) except -1:
        """Have the loop wake us when the next record is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._alarm = self.records.next_deadline()
        if self._alarm != INFINITY:
            self._timer = self.loop.call_later(max(0.0, self._alarm - self.kernel.clock()), self.alarmed)
        return 0

    def alarmed(self):
        """End what has rested for too long."""
        self.now = self.kernel.clock()
        self._timer = None
        self._alarm = INFINITY
        self.expire()
        if self._alarm == INFINITY:
            self._arm()

    cdef int expire(self) except -1:
        """End what has rested for too long."""
        cdef int due[EXPIRING]
        cdef Py_ssize_t index, count = EXPIRING
        while count == EXPIRING:
            count = self.records.expire(self.now, due, EXPIRING)
            for index in range(count):
                self._end_at_rest(due[index])
        return 0

    cdef int _end_at_rest(self, int fd) except -1:
        cdef Record *record = self.records.get(fd)
        cdef Listener place
        if record == NULL or record.state != RESTING or record.deadline > self.now:
            return 0  # one that was told of its deadline before has changed that
        place = self.places[record.place]
        if dozes(record):
            return self._tell_deadline(place, fd)
        if record.secure != NULL:
            part(self, fd, record)
        self.release(fd)
        self.later((place.owner.lost_at_rest, (1,)))
        return 0

    cdef int _tell_deadline(self, object place, int fd) except -1:
        """Rouse one that dozes, for its deadline has passed."""
        cdef Record *record = self.records.get(fd)
        cdef uint32_t generation = record.generation
        try:
            (<Listener>place).rouse(fd, record).expired(self.now)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.receiver_failed(self.awake(fd, generation), error)
        return 0

    cdef Outgoing awake(self, int fd, uint32_t generation):
        """Return the stream of a record that is still of that generation, or None."""
        cdef Record *record = self.records.get(fd)
        if record == NULL or record.generation != generation or stream_of(record) == NULL:
            return None
        return <Outgoing>record.reader

    cdef list _at_rest(self, object owner, bint dozing):
        """Return the descriptors of the streams of `owner` that rest as records, or of those that doze."""
        cdef int fd
        cdef list found = []
        for place in self.places:
            if place is not None and (<Listener>place).owner is owner:
                fd = self.records.next_resting((<Listener>place).place, -1)
                while fd >= 0:
                    if dozes(self.records.get(fd)) == dozing:
                        found.append(fd)
                    fd = self.records.next_resting((<Listener>place).place, fd)
        return found

    def resting(self, owner):
        """Return the descriptors of the streams of `owner` that rest as records, and have no receiver."""
        return self._at_rest(owner, False)

    def rouse(self, owner):
        """Give every receiver of `owner` whose stream dozes a stream."""
        cdef Record *record
        for fd in self._at_rest(owner, True):
            record = self.records.get(fd)
            if record != NULL and dozes(record):
                (<Listener>self.places[record.place]).rouse(fd, record)

    def recall(self, int fd, Receiver receiver not None):
        """Give `receiver` a stream, which dozes at `fd`, and return it.

        Raises:
            LookupError: it does not, for every socket was closed.
        """
        cdef Record *record = self.records.get(fd)
        if record == NULL or not dozes(record) or record.reader != <PyObject *>receiver:
            raise LookupError(fd)
        return (<Listener>self.places[record.place]).rouse(fd, record)

    def write(self, int fd, Receiver receiver not None, bytes data not None):
        """Send bytes at `fd`, where the stream of `receiver` dozes in plain; False where it must be recalled for that.

        What the system does not take of them is written by the stream, roused.
        """
        cdef Record *record = self.records.get(fd)
        cdef Py_ssize_t sent, length = PyBytes_GET_SIZE(data)
        if record == NULL or not dozes(record) or record.reader != <PyObject *>receiver or record.secure != NULL:
            return False
        sent = self.kernel.send(fd, PyBytes_AS_STRING(data), length)
        if sent <= 0:
            return False
        if sent < length:
            (<Listener>self.places[record.place]).rouse(fd, record).write(data[sent:])
        return True

    def hasten(self, owner, double deadline):
        """Bring later deadlines of the streams of `owner` forward that rest as records."""
        for fd in self.resting(owner):
            if self.records.get(fd).deadline > deadline:
                self.lay(fd, deadline)

    def dismiss(self, owner, bint reset):
        """Close the streams of `owner` that rest as records, with a reset or without; it is told on the next pass."""
        cdef Record *record
        found = self.resting(owner)
        for fd in found:
            record = self.records.get(fd)
            if reset:
                self.kernel.reset_at_close(fd)
            elif record.secure != NULL:
                part(self, fd, record)
            self.release(fd)
        if found:
            self.later((owner.lost_at_rest, (len(found),)))

    def statistics(self):
        """Return counts of what is held: see `Records.statistics`."""
        return self.records.statistics()
