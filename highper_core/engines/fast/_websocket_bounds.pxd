# The bounds of `Limits` that a WebSocket looks at, as C numbers.

from libc.stdint cimport uint32_t

from ._keepalive cimport SocketTimes


cdef class WebSocketBounds:
    cdef readonly object limits
    cdef SocketTimes times
    cdef long long frame  # -1 for none
    cdef long long message
    cdef uint32_t pongs


cdef WebSocketBounds websocket_bounds_of(object limits)
