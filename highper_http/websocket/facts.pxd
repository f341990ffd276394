# Augments facts.py.

from highper_transports.websocket_driver cimport WebSocketDriver


cdef class SocketFacts(WebSocketDriver):
    cdef readonly object _settings
    cdef public object _opened
    cdef object _extras

    cdef object _unanswered(self)
    cdef object _have_extras(self)
    cdef object _tell_watchers(self)
