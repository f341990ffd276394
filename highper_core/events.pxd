# Augments events.py: events are C structs, read-only from Python once built.

cimport cython

from .fields cimport Fields


cdef class Event:
    cdef readonly int stream_id

    cpdef tuple _key(self)


cdef class Request(Event):
    cdef readonly bytes method
    cdef readonly bytes target
    cdef readonly Fields headers
    cdef readonly bytes http_version
    cdef readonly long long content_length


cdef class _StatusEvent(Event):
    cdef readonly int status_code
    cdef readonly Fields headers
    cdef readonly bytes reason
    cdef readonly bytes http_version


cdef class InformationalResponse(_StatusEvent):
    pass


cdef class Response(_StatusEvent):
    cdef public Response _base
    cdef bytes _framed  # status-line and field lines, once an engine has framed them: an event is never changed
    cdef long long _promised  # what its content-length says; -1 without one


@cython.locals(head=Response, fields=Fields)
cpdef Response response_head(Response base, list lines)


cdef class Data(Event):
    cdef readonly object data


cdef class EndOfMessage(Event):
    cdef readonly Fields headers


cdef class ConnectionClosed(Event):
    pass


cdef class TextFragment(Event):
    cdef readonly str text
    cdef readonly bint finished


cdef class BytesFragment(Event):
    cdef readonly object data
    cdef readonly bint finished


cdef class _ControlEvent(Event):
    cdef readonly bytes data


cdef class Ping(_ControlEvent):
    pass


cdef class Pong(_ControlEvent):
    pass


cdef class CloseConnection(Event):
    cdef readonly int code
    cdef readonly str reason


cdef class Signal:
    cdef str _name
