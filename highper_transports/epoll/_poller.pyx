# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""The epoll set of one loop: our sockets are served here, in C; descriptors of others are handed on.

One turn is: what was to be called soon, one `epoll_wait`, our sockets, then everybody else's. Level-triggered, so that
whatever a turn does not get to is told again. The data word of an event is

    generation of the record | descriptor       a stream's socket; a word of another generation is stale
    FOREIGN | descriptor                        a descriptor that belongs to the loop's users
    LISTENER | number                           a listener, whose number is never used twice

In a loop of ours a turn is its selector's `select`, and goes on for as long as the loop has nothing to do. In any other
running loop the epoll descriptor is one of those it watches, for as long as something is open here.

Nothing but KeyboardInterrupt and SystemExit leaves a turn: what else is raised goes to the loop's exception handler.
"""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from libc.errno cimport EINTR, ENOSPC
from libc.limits cimport INT_MAX
from libc.math cimport INFINITY, ceil
from libc.stdint cimport uint16_t, uint32_t, uint64_t

import os

from ._kernel cimport EPOLL_CTL_ADD, EPOLLIN, Kernel
from ._listener cimport Listener
from ._records cimport Record, Records
from ._secure cimport part
from ._set cimport FOREIGN, EpollSet
from ._stream cimport EpollStream

cdef extern from "Python.h":
    Py_ssize_t PY_SSIZE_T_MIN
    Py_ssize_t PyObject_Size(PyObject *) except -1

cdef Py_ssize_t NOT_ASKED = PY_SSIZE_T_MIN  # no error number
cdef uint32_t LISTENER = <uint32_t>1 << 30

cdef enum:
    EXPIRING = 256  # records whose deadline has passed, ended in one go


@cython.no_gc_clear  # its methods rely on what it refers to, also while a cycle is taken apart
cdef class Poller(EpollSet):
    """The epoll set of one loop, and who is served from it. Made as an `EpollSet` is.

    Attributes:
        records: of our open sockets.
    """

    def __cinit__(self, loop, bint embedded, Kernel kernel=None):
        self.records = Records(self.now)
        self._foreign = []
        self._alarm = INFINITY
        self._listeners = {}
        self.places = [None]
        self._starved = []
        self.scratch = <char *>PyMem_Malloc(SCRATCH)
        self._early = <char *>PyMem_Malloc(2 * SCRATCH)
        if self.scratch == NULL or self._early == NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.scratch)
        PyMem_Free(self._early)

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
        if self.embedded and self._attached and not self.records.open and not self._listeners:
            self._detach()
        return 0

    def close(self):
        """Close every socket of ours, and the set. Whoever waits on them is not told."""
        cdef int fd = self.records.next_open(-1)
        while fd >= 0:
            self.kernel.close(fd)
            self.records.remove(fd)
            fd = self.records.next_open(fd)
        for listener in list(self._listeners.values()):
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
        self._listeners[listener.number] = listener
        if self.embedded and not self._attached:
            self._attach()
        return 0

    cdef int unlisten(self, object acceptor) except -1:
        """Take a `Listener` out of the set."""
        cdef Listener listener = acceptor
        if self._listeners.pop(listener.number, None) is not None:
            self.forget(listener.fd)
        if self.embedded and self._attached and not self.records.open and not self._listeners:
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

    # Turns

    def select(self, timeout, list scheduled):
        """Serve our sockets until the loop has something to do; return the ready descriptors of others.

        Args:
            timeout: seconds, None for ever.
            scheduled: the loop's heap of timers, the earliest first.

        Returns:
            pairs of a descriptor and its events.
        """
        cdef double deadline = INFINITY
        cdef PyObject *earliest = PyList_GET_ITEM(scheduled, 0) if PyList_GET_SIZE(scheduled) else NULL
        cdef int count
        if timeout is not None:
            deadline = 0.0 if timeout <= 0 else self.kernel.clock() + <double>timeout
        self._leaving = False
        self._foreign.clear()  # not empty only where an interrupt left a turn
        while True:
            if PyList_GET_SIZE(self._pending):
                self._run_pending()
                if self._is_wanted(scheduled, earliest):
                    deadline = 0.0
            count = self.kernel.epoll_wait(self.fd, self._events, BATCH, self._milliseconds(deadline))
            self.now = self.kernel.clock()
            if count >= 0:
                self._serve(count)
            elif count == -EINTR:
                PyErr_CheckSignals()
            else:
                raise OSError(-count, os.strerror(-count))
            self._expire()
            if self._foreign or self.now >= deadline or self._is_wanted(scheduled, earliest):
                foreign, self._foreign = self._foreign, []
                return foreign

    cdef bint _is_wanted(self, list scheduled, PyObject *earliest) except -1:
        """Whether the loop has got something to do: a callback, an earlier timer, the wish to stop."""
        if self._leaving or PyObject_Size(<PyObject *>self._ready):
            return True
        return PyList_GET_SIZE(scheduled) and PyList_GET_ITEM(scheduled, 0) != earliest

    def serve(self):
        """One turn, for a foreign loop that found the epoll descriptor readable."""
        cdef int count = self.kernel.epoll_wait(self.fd, self._events, BATCH, 0)
        self.now = self.kernel.clock()
        if count > 0:
            self._serve(count)
        elif count < 0 and count != -EINTR:
            raise OSError(-count, os.strerror(-count))
        self._expire()

    def leave(self):
        """Leave `select` after this batch."""
        self._leaving = True

    def belong(self, ready):
        """Learn the queue of callbacks of the loop whose selector this serves."""
        self._ready = ready

    cdef int _milliseconds(self, double deadline) noexcept:
        """Return how long to wait; what is less than a millisecond is one, for no timer may be early."""
        cdef double wait
        if PyList_GET_SIZE(self._pending):
            return 0
        if deadline == INFINITY:
            return -1
        if deadline == 0.0:
            return 0
        wait = ceil((deadline - self.kernel.clock()) * 1e3)
        return 0 if wait <= 0 else <int>min(wait, <double>INT_MAX)

    cdef int _serve(self, int count) except -1:
        """Serve what is ready, several sockets at a time: receive for all of them, act, then send for all of them.

        The system's code and ours are run in a row so, and the processor does not fetch both anew for every request.
        """
        cdef int start, end
        for start in range(0, count, TOGETHER):
            end = min(start + TOGETHER, count)
            if end - start > 1:
                self._receive(start, end)
            self.gathering = end - start > 1
            try:
                self._act(start, end)
            finally:
                self.scatter()
        return 0

    cdef int _receive(self, int start, int end) noexcept:
        """Receive for those who want bytes, while there is room."""
        cdef char *room = self._early
        cdef Py_ssize_t count
        cdef uint64_t word
        cdef Record *record
        cdef int index
        for index in range(start, end):
            self._received[index - start] = NOT_ASKED
            word = self._events[index].data.u64
            if <uint32_t>word >= LISTENER or self._events[index].events != EPOLLIN or room - self._early > SCRATCH:
                continue
            record = self.records.get(<int>word)
            if record == NULL or record.generation != word >> 32 or record.stream == NULL:
                continue
            if (<EpollStream>record.stream).takes_bytes():
                count = self._received[index - start] = self.kernel.recv(<int>word, room, SCRATCH)
                room += max(count, 0)
        return 0

    cdef int _act(self, int start, int end) except -1:
        cdef char *early = self._early
        cdef Py_ssize_t count = NOT_ASKED
        cdef int index
        cdef uint32_t low, events
        cdef uint64_t word
        for index in range(start, end):
            word = self._events[index].data.u64
            events = self._events[index].events
            low = <uint32_t>word
            if low < LISTENER:
                if self.gathering:
                    count = self._received[index - start]
                self._serve_own(<int>low, <uint32_t>(word >> 32), events, early, count)
                early += max(count, 0)
            elif low & <uint32_t>FOREIGN:
                self._foreign.append((<int>(low & ~<uint32_t>FOREIGN), events))
            else:
                self._accept(low & ~LISTENER)
        return 0

    cdef int _serve_own(self, int fd, uint32_t generation, uint32_t events, char *early, Py_ssize_t count) except -1:
        cdef Record *record = self.records.get(fd)
        cdef EpollStream stream = None
        cdef Listener place
        if record == NULL or record.generation != generation:
            return 0  # closed since, by something that was served before
        try:
            if record.stream != NULL:
                stream = <EpollStream>record.stream
                if count == NOT_ASKED:
                    stream.ready(events, self.now)
                else:
                    stream.received(early, count, self.now)
            else:
                place = self.places[record.place]  # held, for it may end with its last stream
                if count == NOT_ASKED:
                    count = self.kernel.recv(fd, self.scratch, SCRATCH)
                    early = self.scratch
                place.stir(fd, record, early, count, self.now)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.report("receiver of a stream failed", error)
            if stream is None and record.stream != NULL and record.generation == generation:
                stream = <EpollStream>record.stream
            if stream is not None:
                stream.end(error)
        return 0

    cdef int _accept(self, uint32_t number) except -1:
        cdef Listener listener = self._listeners.get(number)
        if listener is None:
            return 0
        try:
            listener.ready(self.now)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.report("accepting failed", error)
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
        self._expire()
        if self._alarm == INFINITY:
            self._arm()

    cdef int _expire(self) except -1:
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
        cdef Listener place = self.places[record.place]
        if record.secure != NULL:
            part(self, fd, record)
        self.release(fd)
        self.later((place.owner.lost_at_rest, (1,)))
        return 0

    def resting(self, owner):
        """Return the descriptors of the streams of `owner` that rest as records."""
        cdef int fd
        found = []
        for place in self.places:
            if place is not None and (<Listener>place).owner is owner:
                fd = self.records.next_resting((<Listener>place).place, -1)
                while fd >= 0:
                    found.append(fd)
                    fd = self.records.next_resting((<Listener>place).place, fd)
        return found

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
