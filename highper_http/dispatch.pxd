# Augments dispatch.py: from an exchange to its handler and back without a call through Python.

cimport cython

from highper_core.context cimport RequestContext
from highper_core.pool cimport ContextPool
from highper_transports.exchange cimport Exchange

from ._native cimport copy_of, run_in
from .around cimport Around
from .request cimport Request
from .response cimport Response
from .routing.route cimport Route
from .routing.table cimport RouteTable

cdef int AWAIT_1, AWAIT_2, INLINE_1


@cython.final
cdef class Running(Around):
    cdef Dispatcher _dispatcher
    cdef RequestContext _context
    cdef Route _route

    cdef object _set_up(self, Dispatcher dispatcher, RequestContext context, Route route)


cdef class Dispatcher:
    cdef RouteTable _table
    cdef object _transport
    cdef object _spawn
    cdef ContextPool _contexts
    cdef object _variables
    cdef bint _debug
    cdef bint _access_log
    cdef readonly set _sheltered
    cdef readonly dict _lasting
    cdef bint _parting
    cdef public bint stopping

    @cython.locals(match=tuple, route=Route, context=RequestContext, running=Running)
    cpdef object begin(self, Exchange exchange)

    @cython.locals(request=Request, response=Response)
    cdef object _fill(self, RequestContext context, Exchange exchange, Route route, tuple values)

    cdef bint _call_inline(self, RequestContext context, Route route) except -1

    cdef bint _must_leave(self, object error) except -1

    @cython.locals(exchange=Exchange)
    cdef object _end(self, RequestContext context)

    @cython.locals(response=Response)
    cdef bint _answer(self, RequestContext context, object result) except -1

    @cython.locals(response=Response, request=Request, exchange=Exchange)
    cdef object _fail(self, RequestContext context, object error)
