# The header of a frame: read by a cursor, written in place. The tables are those of `frames`.

from libc.stdint cimport uint32_t

cdef enum:
    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10

cdef enum:
    FIN = 0x80
    RSV1 = 0x40
    LONGEST_CONTROL = 125
    LONGEST_HEADER = 14

cdef struct Expectation:
    bint masked  # the peer is a client
    bint deflate  # compression was agreed on
    bint in_message
    bint compressed  # the message that is under way came compressed
    long long length  # of it so far, as its headers announce it
    long long frame_bound  # -1 for none
    long long message_bound

cdef struct Header:
    int first  # FIN, reserved bits and opcode
    int size  # of the header itself; 0: more must come
    long long length  # of the payload
    uint32_t key  # as it lies in memory; 0 for none

cdef int parse_header(const unsigned char *p, Py_ssize_t available, const Expectation *expected, Header *header) noexcept nogil
cdef int put_header(char *to, int first, long long length, bint masked, uint32_t key) noexcept nogil
cdef int header_size(long long length, bint masked) noexcept nogil
cdef bytes made_frame(int first, const char *payload, Py_ssize_t length, bint masked, uint32_t key)
