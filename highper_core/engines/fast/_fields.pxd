# A field section that is spans into received octets until somebody reads it.

from highper_core.fields cimport Fields

from ._head cimport Head, Span


cdef class SpanFields(Fields):
    cdef bytes _octets  # what the spans point into
    cdef const char *_base  # where in `_octets` they count from; `_octets` keeps it alive
    cdef Span *_spans
    cdef Py_ssize_t _count


cdef SpanFields span_fields(Head *head, bytes octets, Py_ssize_t base)
