# Augments asyncio/stream.py: a read event reaches the driver in one Python call, the loop's.

from ..stream cimport Stream
from .turn cimport LoopTurn


cdef class WireStream(Stream):
    cdef object _opened
    cdef object _wire
    cdef object _clock
    cdef bint _joins
    cdef object _write
    cdef object _filler
    cdef object _scratch
    cdef LoopTurn _turn

    cpdef object data_received(self, object data)
