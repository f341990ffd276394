# Augments date.py: one reading of the clock and one comparison.

cimport cython

from ._native cimport clock_second

cdef long _second
cdef bytes _value

@cython.locals(now=long)
cpdef bytes http_date()
