# Augments publication.py: a message and its forms are a C struct.


cdef class Publication:
    cdef readonly object message
    cdef readonly object key
    cdef readonly object name
    cdef readonly object identity
    cdef public long long place
    cdef object _compression
    cdef dict _forms
    cdef Py_ssize_t _size

    cpdef tuple encoded(self, int form)
    cdef tuple _encode(self, int form)
