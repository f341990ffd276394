# Augments table.py: the path from a request-target to its route runs in C.

cimport cython

from .kinds cimport classify, convert
from .route cimport Route
from .tree cimport State


cdef int _REST


cdef class MethodRoutes:
    cdef readonly dict static
    cdef readonly State start
    cdef readonly Py_ssize_t depth

    @cython.locals(segments=list, segment=bytes, count=Py_ssize_t, index=Py_ssize_t, state=State, following=State,
                   route=Route)
    cpdef tuple find(self, bytes path)


@cython.locals(kind=int)
cdef State _parameter(State state, bytes segment)

@cython.locals(index=Py_ssize_t, kind=int, segment=bytes, values=list)
cdef tuple _values(Route route, list[bytes] segments)


cdef class RouteTable:
    cdef readonly tuple routes
    cdef readonly Route not_found
    cdef readonly Route method_not_allowed
    cdef readonly Route options
    cdef readonly Route malformed
    cdef readonly Route tunnel
    cdef dict _methods
    cdef MethodRoutes _any
    cdef MethodRoutes _gets
    cdef str _every

    @cython.locals(routes=MethodRoutes)
    cpdef tuple match(self, bytes method, bytes target)

    @cython.locals(path=bytes)
    cdef tuple _search(self, MethodRoutes routes, bytes method, bytes target)

    cdef tuple _other_form(self, bytes method, bytes target)
    cdef tuple _miss(self, bytes method, bytes path)
