# Framing of what we send, for the usual shapes; anything else is left to `writer`, whose bytes these equal.

from highper_core.events cimport Response

cdef enum:
    FRAMING_NONE = 0
    FRAMING_KNOWN_LENGTH = 1
    FRAMING_CHUNKED = 2
    FRAMING_CLOSE_DELIMITED = 3

cdef enum:
    ANY_LENGTH = -1  # content may be given and is dropped, however much
    NO_CONTENT = -2  # content may not be given

cdef enum:
    JOINED_CONTENT = 16384  # content up to this size is copied behind its head or chunk-size

cdef struct Content:
    int framing
    long long remaining
    long long droppable  # see `writer.Head.droppable`

cdef struct Exchange:
    bint head  # the request's method is HEAD
    bint modern  # the peer speaks HTTP/1.1
    bint keep_alive

cdef bytes frame_response(Response response, Exchange *exchange, Content *framed, long long length, bytes content)
cdef bytes frame_chunk(const char *data, Py_ssize_t length)
