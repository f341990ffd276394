# Augments stream.py: a compiled stream calls a compiled receiver through these tables.

from .timers cimport Timed

cdef class Stream


cdef class Receiver:
    cpdef object received(self, bytes data, double now)
    cpdef object filled(self, Py_ssize_t count, double now)
    cpdef object proceed(self, double now)
    cpdef object ended(self)
    cpdef object lost(self, object error)
    cpdef object writing_paused(self)
    cpdef object writing_resumed(self)
    cpdef object expired(self, double now)
    cpdef object woken(self, Stream stream)


cdef class Stream(Timed):
    cdef public Receiver receiver
    cdef public object owner
    cdef public object transport
    cdef public object peer
    cdef public object local
    cdef public str scheme
    cdef public object alpn
    cdef public bint fills
    cdef public bint sends_files
    cdef public bint dozes
    cdef public bint resting
    cdef public double rested_until
    cdef public object presented

    cpdef object deliver(self, bytes data, double now)
    cpdef object deliver_end(self)
    cpdef object deliver_pressure(self, bint paused)
    cpdef object deliver_loss(self, object error)
    cpdef object rest(self, double deadline)
    cpdef bint give_way(self) except -1
    cpdef int doze(self, double deadline) except? -1
    cpdef object write(self, object data)
    cpdef object write_eof(self)
    cpdef object close(self)
    cpdef object abort(self)
    cpdef object pause_reading(self)
    cpdef object resume_reading(self)
    cpdef Receiver _wake(self)
    cdef object _rise(self)
