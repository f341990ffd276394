# Augments websocket.py: a compiled layer above calls a compiled engine through this table, without a Python call.


cdef class WebSocket:
    cdef readonly object role
    cdef readonly object limits
    cdef readonly object deflate
    cdef public bint gather

    cpdef object receive_data(self, object data, double now=*)
    cpdef object next_event(self)
    cpdef object send(self, object event)
    cpdef object send_message(self, object message)
    cpdef object send_framed(self, bytes frames, bint compressed=*)
    cpdef bytes data_to_send(self)
    cpdef list buffers_to_send(self)
    cpdef double next_deadline(self) except? -1.0
    cpdef object expired(self, double now)
    cpdef object pause_reading(self, double now)
    cpdef object resume_reading(self, double now)
