# Augments compose.py: going inwards costs one small object.

cimport cython

from ..around cimport Around

cdef int AWAIT_1, AWAIT_2, INLINE_1


cdef class _Onion:
    cdef tuple layers
    cdef tuple awaits
    cdef object handler
    cdef int call


@cython.final
cdef class _Run(Around):
    cdef _Onion _onion
    cdef Py_ssize_t _depth
    cdef object _request
    cdef object _response
    cdef bint _called

    @cython.locals(onion=_Onion, depth=Py_ssize_t, inwards=_Run)
    cdef object _begin_layer(self)
    @cython.locals(call=int)
    cdef object _begin_handler(self)
    cdef object _take(self, object result)


@cython.locals(run=_Run)
cdef _Run _run(_Onion onion, Py_ssize_t depth, object request, object response)
