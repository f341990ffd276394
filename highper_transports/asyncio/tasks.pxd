# Augments tasks.py.

cimport cython

from ._native cimport FirstStep, Registration, TaskMaker, run_in

cdef object current_task


cdef class TaskStarter:
    cdef readonly object stepping
    cdef object _loop
    cdef set _running
    cdef object _forget
    cdef TaskMaker _maker
    cdef FirstStep _first
    cdef TaskMaker _eager
    cdef Registration _registration
    cdef object __weakref__

    cpdef object start(self, object coroutine, object context, object name=*)
    @cython.locals(first=FirstStep)
    cdef object _start_kept(self, object coroutine, object context, object name)
