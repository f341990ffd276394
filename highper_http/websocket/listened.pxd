# Augments listened.py.

from .speaker cimport Speaker

cdef int BLOCK, INTERNAL_ERROR


cdef class ListenedSocket(Speaker):
    cdef object _listener
    cdef object _variables
    cdef bint _is_open

    cpdef object arrived(self, object content, bint finished)
    cdef object _failed(self, object error)
