# Augments exchange.py.

cimport cython

from highper_core.events cimport Data, EndOfMessage, Event, Request, Response

from .cycles cimport Cycles
from .stream cimport Receiver, Stream


cdef class Exchange:
    cdef readonly Request request
    cdef readonly int stream_id
    cdef readonly Stream stream
    cdef readonly Cycles driver
    cdef public object task
    cdef public bint response_started
    cdef public long long bytes_sent
    cdef public bint disconnected
    cdef public bint full
    cdef object _error
    cdef object _events
    cdef EndOfMessage _end
    cdef Py_ssize_t _queued
    cdef object _receiver
    cdef object _writer
    cdef Py_ssize_t _turns
    cdef long long _burst

    cdef object _set_up(self, Cycles driver, Request request)
    cpdef object receive_nowait(self)
    cpdef object feed(self, Event event)
    cpdef object fail(self, object error, bint disconnected=*)
    @cython.locals(driver=Cycles, length=Py_ssize_t)
    cpdef object send(self, Event event)
    @cython.locals(driver=Cycles, length=Py_ssize_t)
    cpdef object send_message(self, Response head, bytes content=*)
    cpdef object writable(self)
    cpdef object abort(self)
    @cython.locals(driver=Cycles)
    cpdef object close(self)
    cpdef object take_over(self, Receiver receiver)
