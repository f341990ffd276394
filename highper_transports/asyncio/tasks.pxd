# Augments tasks.py.


cdef class TaskStarter:
    cdef object _loop
    cdef set _running
    cdef bint _catches
    cdef tuple _caught
    cdef object _context

    cpdef object start(self, object coroutine, object context)
    cdef object _start_caught(self, object coroutine, object context)
