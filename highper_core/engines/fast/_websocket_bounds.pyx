# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""The bounds of `Limits` that a WebSocket looks at, as C numbers."""

from libc.math cimport INFINITY

cdef enum:
    REMEMBERED = 64

cdef dict _made = {}  # by identity of the limits, which each value keeps alive
cdef object MOST = (1 << 62) - 1
cdef object MOST_PONGS = (1 << 31) - 1  # a Pong more than that is counted in 32 bits


cdef class WebSocketBounds:
    def __init__(self, limits):
        self.limits = limits
        self.frame = -1 if limits.websocket_frame is None else min(limits.websocket_frame, MOST)
        self.message = -1 if limits.websocket_message is None else min(limits.websocket_message, MOST)
        self.pongs = min(limits.websocket_pongs, MOST_PONGS)
        interval, idle = limits.websocket_ping_interval, limits.websocket_idle_timeout
        self.times.ping_interval = INFINITY if interval is None else interval
        self.times.ping_timeout = limits.websocket_ping_timeout
        self.times.idle = INFINITY if idle is None else idle
        self.times.close = limits.websocket_close_timeout


cdef WebSocketBounds websocket_bounds_of(object limits):
    """Return the bounds of `limits`, made once for each."""
    cdef object key = id(limits)
    found = _made.get(key)
    if found is None:
        if len(_made) >= REMEMBERED:
            _made.clear()
        found = _made[key] = WebSocketBounds(limits)
    return found
