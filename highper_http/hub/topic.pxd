# Augments topic.py: a message is handed to a WebSocket without a call through Python.

cimport cython

from ..websocket.speaker cimport Speaker
from .publication cimport Publication


cdef class Topic:
    cdef readonly str name
    cdef public long long known_from
    cdef public double left_at
    cdef public Py_ssize_t kept_size
    cdef public long long gaps
    cdef readonly object kept
    cdef readonly long long published
    cdef readonly long long delivered
    cdef readonly long long dropped
    cdef dict _subscribers
    cdef Py_ssize_t _size
    cdef Publication _current
    cdef list _waiting

    cpdef object deliver(self, Publication publication)
    cpdef object begin(self, Publication publication)
    @cython.locals(form=int, group=dict, data=bytes, compressed=bint, subscribers=list, socket=Speaker)
    @cython.locals(waiting=list, taken=bint)
    cpdef bint go_on(self, Publication publication, Py_ssize_t most)
