# Augments heads.py.

from highper_core.events cimport Response as ResponseHead

cdef dict _heads
cdef bytes _heads_date

cpdef tuple field_line(str name, object value)
cpdef ResponseHead plain_head(int status, bytes content_type)
