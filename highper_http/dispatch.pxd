# Augments dispatch.py: from an exchange to its handler and back without a call through Python.

cimport cython

from highper_core.context cimport RequestContext
from highper_core.pool cimport ContextPool

from .request cimport Request
from .response cimport Response
from .routing.route cimport Route
from .routing.table cimport RouteTable


cdef class Dispatcher:
    cdef RouteTable _table
    cdef object _transport
    cdef ContextPool _contexts
    cdef object _variables
    cdef bint _debug
    cdef bint _access_log
    cdef readonly set _sheltered
    cdef public bint stopping

    @cython.locals(match=tuple, route=Route, context=RequestContext)
    cpdef object begin(self, object exchange)

    cdef object _hold(self, RequestContext context, object task)

    @cython.locals(request=Request)
    cdef object _fill(self, RequestContext context, object exchange, Route route, tuple values)

    cpdef object _run_inline(self, RequestContext context, Route route)

    cdef bint _must_leave(self, object error) except -1

    @cython.locals(exchange=object)
    cdef object _end(self, RequestContext context)

    @cython.locals(response=Response, state=int)
    cdef bint _answer(self, RequestContext context, object result) except -1

    @cython.locals(response=Response, request=Request)
    cdef object _fail(self, RequestContext context, object error)
