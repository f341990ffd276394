# Augments fields.py: a field section is a C struct around one list, and its look-ups are C calls.

cdef class Fields:
    cdef list _lines

    cpdef list lines(self)
    cpdef bytes first(self, bytes name)
    cpdef list all(self, bytes name)
