# Augments listened.py.

cimport cython

from highper_transports.stream cimport Stream

from .._native cimport call_in, copy_of
from .speaker cimport Speaker

cdef int BLOCK


cdef class Callbacks:
    cdef readonly object listener
    cdef readonly object text
    cdef readonly object data
    cdef readonly object site


cdef class ListenedSocket(Speaker):
    cdef Callbacks _callbacks
    cdef object _variables

    @cython.locals(callbacks=Callbacks)
    cpdef object arrived(self, object content, bint finished)
    cdef bint _doze(self) except -1
    cpdef object woken(self, Stream stream)
    cdef object _have_variables(self)
    cdef object _failed(self, object error)
