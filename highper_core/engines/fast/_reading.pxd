# The reading half of a connection: octets in, events out.

from ._chunked cimport ChunkLine
from ._sections cimport SectionReader


cdef enum ChunkPhase:
    EXPECT_CHUNK_LINE
    EXPECT_CHUNK_DATA
    EXPECT_CHUNK_END
    EXPECT_TRAILERS


cdef class HttpReader(SectionReader):
    cdef ChunkPhase _chunk_phase
    cdef ChunkLine _chunk
    cdef long long _extensions  # octets of them so far
    cdef unsigned long long _content  # octets of it so far

    cdef object _after_message(self, int state)
    cdef object _next_content(self)
    cdef object _next_chunked(self)
    cdef int _read_chunk_line(self) except? -1
    cdef object _trailers(self)
    cdef object _data(self, Py_ssize_t length)
    cdef object _end(self, object event)
