# Augments listened.py.

cimport cython

from .._native cimport call_in
from .speaker cimport Speaker

cdef int BLOCK, INTERNAL_ERROR


cdef class Callbacks:
    cdef readonly object listener
    cdef readonly object text
    cdef readonly object data


cdef class ListenedSocket(Speaker):
    cdef Callbacks _callbacks
    cdef object _variables

    @cython.locals(callbacks=Callbacks)
    cpdef object arrived(self, object content, bint finished)
    cdef object _failed(self, object error)
