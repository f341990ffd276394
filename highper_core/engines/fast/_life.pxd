# The life cycle of a connection: the flat table of `state`, and its joint rules over again in C.

cdef enum:
    CLIENT = 0
    SERVER = 1

cdef enum:
    IDLE = 0
    SEND_RESPONSE = 1
    SEND_BODY = 2
    DONE = 3
    MUST_CLOSE = 4
    CLOSED = 5
    ERROR = 6
    MIGHT_SWITCH_PROTOCOL = 7
    SWITCHED_PROTOCOL = 8

cdef enum:
    IN_REQUEST = 0
    IN_INFORMATIONAL_RESPONSE = 1
    IN_RESPONSE = 2
    IN_DATA = 3
    IN_END_OF_MESSAGE = 4
    IN_CONNECTION_CLOSED = 5
    IN_PEER_REQUEST = 6
    IN_SWITCH = 7

cdef enum:
    ILLEGAL = 255

cdef struct Life:
    int states[2]
    bint keep_alive
    bint switch_proposed

cdef void settle(Life *life) noexcept nogil
cdef int next_state(int role, int state, int what) noexcept nogil
