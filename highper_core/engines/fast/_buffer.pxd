# Octets received and not yet consumed.
#
# Usually one `bytes` object as it came, read in place; octets of ours, copied once, when more comes behind a tail.

from cpython.bytes cimport PyBytes_AS_STRING


cdef class Buffer:
    cdef bytes whole  # what is read in place, or None
    cdef char *own  # else this; `capacity` octets of ours
    cdef Py_ssize_t capacity
    cdef Py_ssize_t begin
    cdef Py_ssize_t end

    cdef inline Py_ssize_t length(self) noexcept:
        return self.end - self.begin

    cdef inline const char *data(self) noexcept:
        """The first octet not consumed. Valid until the next call of `append`, `consume` or `clear`."""
        return (PyBytes_AS_STRING(self.whole) if self.whole is not None else self.own) + self.begin

    cdef int append(self, object data) except -1
    cdef int _make_room(self, Py_ssize_t length) except -1
    cdef void consume(self, Py_ssize_t length) noexcept
    cdef bytes take(self, Py_ssize_t length)
    cdef bytes hold(self, Py_ssize_t length, Py_ssize_t *base)
    cdef void clear(self) noexcept
