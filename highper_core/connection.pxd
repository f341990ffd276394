# Augments connection.py: a compiled driver calls a compiled engine through this table, without a Python call.


cdef class Connection:
    cdef readonly object role
    cdef readonly object limits

    cpdef object receive_data(self, object data, double now=*)
    cpdef object next_event(self)
    cpdef object send(self, object event)
    cpdef object send_message(self, object head, bytes content=*)
    cpdef bytes data_to_send(self)
    cpdef list buffers_to_send(self)
    cpdef object start_next_cycle(self)
    cpdef bint renew(self) except -1
    cpdef object reset(self)
    cpdef double next_deadline(self) except? -1.0
    cpdef object expired(self, double now)
    cpdef object pause_reading(self, double now)
    cpdef object resume_reading(self, double now)
