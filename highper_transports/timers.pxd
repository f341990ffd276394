# Augments timers.py: arming is one comparison and one store.


cdef class Timed:
    cdef public double deadline
    cdef public double due

    cpdef object expired(self, double now)


cdef class TimerWheel:
    cdef object _now
    cdef object _call_at
    cdef double _resolution
    cdef dict _buckets
    cdef list _ticks
    cdef object _handle
    cdef object _next
    cdef object _floor
    cdef Py_ssize_t _size

    cpdef object arm(self, Timed timed, double deadline)
    cpdef object cancel(self, Timed timed)
    cdef object _file(self, Timed timed)
    cdef object _unfile(self, Timed timed)
    cdef object _schedule(self)
    cdef object _clear(self)
    cdef object _empty(self, object tick, double now)
