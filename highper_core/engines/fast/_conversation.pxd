# What both halves of a connection share.

from highper_core.connection cimport Connection

from ._buffer cimport Buffer
from ._clocks cimport Clocks
from ._life cimport Life
from ._limits cimport LimitBounds


cdef class Conversation(Connection):
    cdef int _ours
    cdef int _theirs
    cdef Life _life
    cdef LimitBounds _bounds
    cdef Clocks _clocks
    cdef double _now
    cdef int _fault  # of the peer; 0 for none

    # The input
    cdef Buffer _input
    cdef bint _ended

    # The exchange
    cdef bytes _method  # of the request, b"" before it
    cdef bint _modern  # the client speaks HTTP/1.1
    cdef bint _upgrade_proposed
    cdef bint _waiting_for_continue

    cdef void _begin_anew(self) noexcept
    cdef void _begin_cycle(self) noexcept
    cdef void _advance(self, int role, int what) noexcept
    cdef object _fail(self, int fault)
    cdef void _propose(self, bint upgrade) noexcept
    cdef int _response_input(self, bint interim, int status) noexcept
    cdef bint _awaits_head(self) noexcept
