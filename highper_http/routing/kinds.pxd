# Augments kinds.py: segments are judged without a call through Python.

cimport cython


@cython.locals(first=int, digits=bytes)
cpdef int classify(bytes segment) except -1
cpdef object convert(int kind, bytes segment)
