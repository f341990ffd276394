# Augments socket.py: a message that comes goes from the driver to who waits for it without a call through Python.

cimport cython

from highper_core.flag cimport flag
from highper_core.websocket cimport WebSocket as Core

from .speaker cimport Speaker

cdef int MESSAGE, TEXT, BYTES, JSON, MSGPACK, PIECE, NEXT
cdef Py_ssize_t PIECE_SIZE


cdef class WebSocket(Speaker):
    cdef object _next
    cdef list _more
    cdef object _receiver
    cdef Py_ssize_t _queued
    cdef flag _in_pieces
    cdef flag _inside

    @cython.locals(core=Core)
    cpdef object arrived(self, object content, bint finished)
    @cython.locals(more=list)
    cdef object _take(self)


@cython.final
cdef class Receive:
    cdef WebSocket _socket
    cdef list _parts
    cdef object _wait
    cdef int _kind

    @cython.locals(socket=WebSocket)
    cdef object _step(self, object error)
    cdef object _leave(self)
    @cython.locals(socket=WebSocket)
    cdef object _joined(self, tuple piece)
    @cython.locals(socket=WebSocket)
    cdef object _judged(self, object content)
    @cython.locals(socket=WebSocket)
    cdef object _end(self)


@cython.locals(wait=Receive)
cdef Receive _receive(WebSocket socket, int kind)

cdef Py_ssize_t _size(object content) except -1
