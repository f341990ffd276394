# Augments turn.py.

cimport cython

from ..stream cimport Receiver, Stream
from ._native cimport FirstStep
from .tasks cimport run_kept


cdef class Turn:
    cdef public bint is_open
    cdef public FirstStep first
    cdef public Stream failed
    cdef list _waiting

    cpdef bint give_way(self, Stream stream) except -1
    @cython.locals(first=FirstStep)
    cpdef object go(self, double now)
    @cython.locals(streams=list, done=Py_ssize_t, stream=Stream, receiver=Receiver)
    cdef object _stage(self, double now)


cdef class LoopTurn(Turn):
    cdef object _loop
    cdef public object now
    cdef bint _planned

    cpdef object deliver(self, Stream stream, bytes data)
