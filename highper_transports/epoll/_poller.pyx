# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""The turns of one loop: our sockets are served here, in C; descriptors of others are handed on.

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
from libc.errno cimport EINTR
from libc.limits cimport INT_MAX
from libc.math cimport INFINITY, ceil
from libc.stdint cimport uint32_t, uint64_t

import os

from ._kernel cimport EPOLLIN, Kernel
from ._listener cimport Listener
from ._records cimport Record, stream_of
from ._set cimport FOREIGN, LISTENER
from ._sockets cimport SCRATCH, Sockets
from ._stream cimport EpollStream

cdef extern from "Python.h":
    Py_ssize_t PY_SSIZE_T_MIN
    Py_ssize_t PyObject_Size(PyObject *) except -1

cdef Py_ssize_t NOT_ASKED = PY_SSIZE_T_MIN  # no error number


@cython.no_gc_clear  # its methods rely on what it refers to, also while a cycle is taken apart
cdef class Poller(Sockets):
    """Serves the sockets of one loop. Made as an `EpollSet` is."""

    def __cinit__(self, loop, bint embedded, Kernel kernel=None):
        self._foreign = []
        self._early = <char *>PyMem_Malloc(AHEAD + SCRATCH)
        if self._early == NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self._early)

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
            self.expire()
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
        self.expire()

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
                self._go()
            except BaseException:
                if self.gathering:
                    self._hold(start, end)
                if len(self.turn):
                    self.later(self._go_later)
                raise
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
            if <uint32_t>word >= LISTENER or self._events[index].events != EPOLLIN or room - self._early > AHEAD:
                continue
            record = self.records.get(<int>word)
            if record == NULL or record.generation != word >> 32 or stream_of(record) == NULL:
                continue
            if (<EpollStream>record.reader).expects():
                count = self._received[index - start] = self.kernel.recv(<int>word, room, SCRATCH)
                room += max(count, 0)
        self._undelivered = self._early
        return 0

    cdef int _hold(self, int start, int end) except -1:
        """Keep what was received and not delivered: an interrupt leaves the turn."""
        cdef Py_ssize_t count
        cdef uint64_t word
        cdef Record *record
        cdef int index
        for index in range(start, end):
            count = self._received[index - start]
            if count == NOT_ASKED:
                continue
            word = self._events[index].data.u64
            record = self.records.get(<int>word)
            if record != NULL and record.generation == word >> 32 and stream_of(record) != NULL:
                (<EpollStream>record.reader).hold(self._undelivered, max(count, 0))
            self._undelivered += max(count, 0)
        return 0

    cdef int _act(self, int start, int end) except -1:
        cdef const char *data
        cdef Py_ssize_t count = NOT_ASKED
        cdef int index
        cdef uint32_t low, events
        cdef uint64_t word
        for index in range(start, end):
            word = self._events[index].data.u64
            events = self._events[index].events
            low = <uint32_t>word
            if low < LISTENER:
                data = self._undelivered
                if self.gathering:
                    count = self._received[index - start]
                    self._received[index - start] = NOT_ASKED
                    self._undelivered += max(count, 0)
                self._serve_own(<int>low, <uint32_t>(word >> 32), events, data, count)
            elif low & <uint32_t>FOREIGN:
                self._foreign.append((<int>(low & ~<uint32_t>FOREIGN), events))
            else:
                self._accept(low & ~LISTENER)
        return 0

    cdef int _serve_own(
        self, int fd, uint32_t generation, uint32_t events, const char *data, Py_ssize_t count
    ) except -1:
        cdef Record *record = self.records.get(fd)
        cdef EpollStream stream = None
        cdef Listener place
        if record == NULL or record.generation != generation:
            return 0  # closed since, by something that was served before
        try:
            if stream_of(record) != NULL:
                stream = <EpollStream>record.reader
                if count == NOT_ASKED:
                    stream.ready(events, self.now)
                else:
                    self.turn.is_open = True
                    stream.received(data, count, self.now)
            else:
                self.turn.is_open = self.gathering
                place = self.places[record.place]  # held, for it may end with its last stream
                if count == NOT_ASKED:
                    data = self.scratch
                    count = self.kernel.recv(fd, self.scratch, SCRATCH)
                place.stir(fd, record, data, count, self.now)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.receiver_failed(stream or self.awake(fd, generation), error)
        finally:
            self.turn.is_open = False
        return 0

    cdef int _go(self) except -1:
        """Take those forward who gave way to others."""
        while len(self.turn):
            try:
                self.turn.go(self.now)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                self.receiver_failed(self.turn.take_failed(), error)
        return 0

    def _go_later(self):
        try:
            self._go()
        except BaseException:
            if len(self.turn):
                self.later(self._go_later)
            raise

    cdef int _accept(self, uint32_t number) except -1:
        cdef Listener listener = self.listeners.get(number)
        if listener is None:
            return 0
        try:
            listener.ready(self.now)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.report("accepting failed", error)
        return 0
