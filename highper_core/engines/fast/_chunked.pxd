# The chunk cursors: a chunk line, and the CRLF behind a chunk's data. The data itself is the caller's to cut.

cdef enum ChunkOutcome:
    CHUNK_NEED_MORE = 0
    CHUNK_UNUSUAL = -1000  # a line of `seen` octets and its end, whose length and line end are good
    # above zero: octets consumed; else a fault, negated

cdef struct ChunkLine:
    Py_ssize_t seen  # there is no LF before here, counted from the line's first octet
    unsigned long long size

cdef Py_ssize_t read_chunk_line(ChunkLine *line, const char *data, Py_ssize_t length, Py_ssize_t bound) noexcept nogil
cdef Py_ssize_t read_chunk_end(const char *data, Py_ssize_t length) noexcept nogil
