# Heads and trailer sections.

from ._conversation cimport Conversation
from ._fields cimport SpanFields
from ._head cimport Head, Kind


cdef class SectionReader(Conversation):
    cdef Head _head
    cdef bint _skipped  # the empty line before a request-line

    # What the head says of the content behind it
    cdef int _framing
    cdef unsigned long long _remaining  # of a known length, or of the chunk

    cdef int _read_section(self, Kind kind) except? -1
    cdef int _judge_start_line(self, Kind kind) except? -1
    cdef int _judge_field_line(self, Kind kind) except? -1
    cdef SpanFields _take_head(self)
    cdef object _need_head(self)
    cdef object _next_request(self)
    cdef bint _is_plain_request(self, bint *keep_alive, long long *length) noexcept
    cdef object _next_response(self)
    cdef int _frame(self, object decision) except -1
    cdef void _begin_content(self, bint running) noexcept
    cdef object _close(self)
