# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""Octets received and not yet consumed."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.string cimport memcpy, memmove

cdef enum:
    SMALLEST = 1024
    KEPT = 4096  # octets of memory that an empty buffer may keep
    SLACK = 1024  # octets beside a head that its fields may keep alive, plus once its size


cdef class Buffer:
    def __dealloc__(self):
        PyMem_Free(self.own)

    cdef int append(self, object data) except -1:
        """Add octets, which are borrowed unless they are `bytes` and the buffer is empty."""
        cdef Py_buffer view
        if self.begin == self.end and PyBytes_CheckExact(data):
            self.whole = data
            self.begin = 0
            self.end = len(<bytes>data)
            return 0
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            self._make_room(view.len)
            memcpy(self.own + self.end, view.buf, view.len)
            self.end += view.len
        finally:
            PyBuffer_Release(&view)
        return 0

    cdef int _make_room(self, Py_ssize_t length) except -1:
        """Have what is left in memory of ours, with room for `length` octets behind it."""
        cdef Py_ssize_t kept = self.end - self.begin
        cdef Py_ssize_t capacity = self.capacity
        cdef char *own
        if self.whole is None and self.end + length <= capacity:
            return 0
        if kept + length > capacity or self.whole is None and self.begin < kept:  # moving must pay: twice the room
            capacity = max(SMALLEST, capacity)
            while capacity < 2 * kept + length:
                capacity *= 2
            own = <char *>PyMem_Realloc(self.own, capacity)
            if own == NULL:
                raise MemoryError
            self.own = own
            self.capacity = capacity
        if self.whole is not None:
            memcpy(self.own, PyBytes_AS_STRING(self.whole) + self.begin, kept)
            self.whole = None
        elif self.begin:
            memmove(self.own, self.own + self.begin, kept)
        self.begin = 0
        self.end = kept
        return 0

    cdef void consume(self, Py_ssize_t length) noexcept:
        """Forget octets from the front. Precondition: there are that many."""
        self.begin += length
        if self.begin == self.end:
            self.clear()

    cdef bytes take(self, Py_ssize_t length):
        """Return octets from the front and forget them; the object they came in where they are all of it."""
        cdef bytes taken
        if self.whole is not None and length == len(self.whole):
            taken = self.whole
        else:
            taken = PyBytes_FromStringAndSize(self.data(), length)
        self.consume(length)
        return taken

    cdef bytes hold(self, Py_ssize_t length, Py_ssize_t *base):
        """Return an object that has the first `length` octets at `base`, the one they came in unless that is large."""
        if self.whole is not None and len(self.whole) <= 2 * length + SLACK:
            base[0] = self.begin
            return self.whole
        base[0] = 0
        return PyBytes_FromStringAndSize(self.data(), length)

    cdef void clear(self) noexcept:
        """Forget everything, and memory that an idle connection should not hold."""
        self.whole = None
        self.begin = self.end = 0
        if self.capacity > KEPT:
            PyMem_Free(self.own)
            self.own = NULL
            self.capacity = 0
