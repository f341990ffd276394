# Augments tasks.py.

from ._native cimport run_in


cdef class _FirstStep:
    cdef object context
    cdef object step


cdef _FirstStep _first


cdef class TaskStarter:
    cdef object _loop
    cdef set _running
    cdef bint _keeps

    cpdef object start(self, object coroutine, object context, object name=*)
    cdef object _start_kept(self, object coroutine, object context, object name)
