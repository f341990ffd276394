# Augments tasks.py.

cimport cython

from ._native cimport FirstSteps, Registration, TaskMaker, run_in

cdef object current_task


cdef class TaskStarter:
    cdef readonly object stepping
    cdef object _loop
    cdef set _running
    cdef object _forget
    cdef TaskMaker _maker
    cdef readonly FirstSteps first
    cdef TaskMaker _eager
    cdef Registration _registration
    cdef object __weakref__

    @cython.locals(first=FirstSteps)
    cpdef object start(self, object coroutine, object context, object name=*)
    cdef object _start_kept(self, FirstSteps first, object coroutine, object context, object name)
    cdef object _register(self, object task, object context)
    cdef object _step(self, object task, object context, object step)
    cdef object _hold(self, object task, object context)


@cython.locals(kept=list, done=Py_ssize_t, starter=TaskStarter)
cpdef object run_kept(FirstSteps first)


@cython.locals(kept=list, starter=TaskStarter)
cpdef object leave_kept(FirstSteps first)
