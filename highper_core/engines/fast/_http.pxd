# The compiled HTTP/1 connection. A compiled driver cimports it and calls its methods without a Python call.

from ._output cimport Content
from ._reading cimport HttpReader


cdef class FastHttpConnection(HttpReader):
    cdef Content _framed  # the content that we are sending
    cdef bytes _piece  # what is framed and not yet fetched: nothing, one piece,
    cdef list _pieces  # or several

    cdef void _end_content(self) noexcept
    cdef int _put(self, bytes piece) except -1
    cdef int _demand(self, int what) except -1
    cdef bint _may_persist(self) noexcept
    cdef bint _send_plain(self, object event, long long length, bytes content) except -1
    cdef object _send_data(self, object data)
    cdef object _send_end(self, object headers)
    cdef object _write_head(self, object event, object length)
    cdef int _input_of(self, object event) except -1
    cdef object _commit_head(self, object event, object head)
    cdef int _commit_response(self, bint interim, int status, bint keep_alive) except -1
    cdef int _account(self, long long length) except -1
