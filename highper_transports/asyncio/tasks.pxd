# Augments tasks.py.

from ._native cimport new_task, run_in


cdef class _FirstStep:
    cdef object context
    cdef object step


cdef _FirstStep _first


cdef class TaskStarter:
    cdef object _loop
    cdef set _running
    cdef object _forget
    cdef bint _keeps
    cdef dict _options
    cdef dict _eager_options

    cpdef object start(self, object coroutine, object context, object name=*)
    cdef object _start_kept(self, object coroutine, object context, object name)
