# Augments turn.py.

cimport cython

from ..stream cimport Receiver, Stream
from ._native cimport FirstSteps
from .tasks cimport leave_kept, run_kept


cdef class Turn:
    cdef public bint is_open
    cdef public FirstSteps first
    cdef Stream _failed
    cdef list _streams

    cpdef bint give_way(self, Stream stream) except -1
    @cython.locals(first=FirstSteps)
    cpdef object go(self, double now)
    cpdef Stream take_failed(self)
    @cython.locals(streams=list, done=Py_ssize_t, stream=Stream, receiver=Receiver)
    cdef object _stage(self, double now)


cdef class LoopTurn(Turn):
    cdef object _loop
    cdef public object now
    cdef bint _planned

    cpdef object deliver(self, Stream stream, bytes data)
