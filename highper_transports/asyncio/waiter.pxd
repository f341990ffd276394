# Augments waiter.py.

cdef int PENDING, WOKEN, CANCELLED


cdef class AsyncioWaiter:
    cdef public bint _asyncio_future_blocking
    cdef int _state
    cdef object _loop
    cdef object _callback
    cdef object _context
    cdef object _error

    cpdef object wake(self, object error=*)
    cpdef object wake_now(self)
    cdef object _go_on_soon(self)
    cpdef object result(self)
