# Augments flow_control.py.

from highper_core.connection cimport Connection

from .stream cimport Stream


cdef class OutgoingFlow:
    cdef public bint paused
    cdef public double deadline
    cdef double _timeout
    cdef long long _written
    cdef long long _taken

    cpdef object wrote(self, Py_ssize_t length)
    cpdef object watch(self, Py_ssize_t unwritten, double now)
    cpdef object relax(self)
    cpdef bint stalled(self, Py_ssize_t unwritten, double now) except -1
    cpdef object reset(self)


cdef class IncomingFlow:
    cdef public bint held

    cpdef object hold(self, Stream stream, Connection connection, double now)
    cpdef object release(self, Stream stream, Connection connection, double now)
