# Augments around.py.

cimport cython

from ._native cimport Step, resume


cdef int NEW, WAITING, RUNNING
cdef object CoroutineType


cdef class Around(Step):
    cdef readonly object inner
    cdef readonly bint is_over
    cdef int _state

    cdef object _be_new(self)
    cpdef object _begin(self)
    cpdef object _returned(self, object outcome)
    cpdef object _raised(self, object error)
    cpdef object _end(self)
    @cython.locals(begun=bint)
    cdef object _advance(self, object error)


cdef object _coroutine(object awaitable)
cdef object _thrown(object inner, object error, Step step)
