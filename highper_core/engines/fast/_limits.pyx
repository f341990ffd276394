# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""The bounds of `Limits` that are looked at per octet or per event, as C numbers."""

cdef enum:
    REMEMBERED = 64

cdef dict _made = {}  # by identity of the limits, which each value keeps alive
cdef object MOST = (1 << 62) - 1


cdef class LimitBounds:
    def __init__(self, limits):
        self.limits = limits
        self.head.start_line = min(limits.request_line, MOST)
        self.head.field_line = min(limits.field_line, MOST)
        self.head.head = min(limits.head, MOST)
        self.head.fields = min(limits.fields, MOST)
        self.chunk_line = min(limits.chunk_line, MOST)
        self.chunk_extensions = min(limits.chunk_extensions, MOST)
        self.content = -1 if limits.content is None else min(limits.content, MOST)
        self.times.first_byte = limits.first_byte_timeout
        self.times.idle = limits.idle_timeout
        self.times.head = limits.head_timeout
        self.times.content = limits.content_timeout
        self.times.rate = limits.content_rate
        self.times.grace = limits.content_rate_grace


cdef LimitBounds bounds_of(object limits):
    """Return the bounds of `limits`, made once for each."""
    cdef object key = id(limits)
    found = _made.get(key)
    if found is None:
        if len(_made) >= REMEMBERED:
            _made.clear()
        found = _made[key] = LimitBounds(limits)
    return found
