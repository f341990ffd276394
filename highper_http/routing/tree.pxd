# Augments tree.py: one step of matching is one look-up in a C struct.

from .route cimport Route


cdef class State:
    cdef public dict static
    cdef public State parameter
    cdef public tuple typed
    cdef readonly Route end
    cdef readonly Route rest


cdef class _Node:
    cdef readonly dict static
    cdef readonly dict kinds
    cdef public Route route
    cdef public Route rest
    cdef readonly Py_ssize_t number
