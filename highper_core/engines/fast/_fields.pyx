# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""A field section that is spans into received octets until somebody reads it.

It keeps the octets it was received in, and copies a value when it is asked for. Names in lower case are made when the
section is walked; those that most messages carry exist once.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.string cimport memcpy

from highper_core._spares import keep_spares
from highper_core.fields cimport Fields

from ._bytes cimport is_name, is_word, lower

cdef enum:
    SLOTS = 512

cdef PyObject *_known[SLOTS]  # by `_slot`; `_kept` owns them
cdef list _kept = [
    name.encode()
    for name in """
        host connection user-agent accept accept-encoding accept-language accept-charset cookie referer origin
        content-length content-type content-encoding content-language content-location transfer-encoding te trailer
        cache-control pragma upgrade-insecure-requests upgrade expect authorization proxy-authorization if-match
        if-none-match if-modified-since if-unmodified-since if-range range date via forwarded x-forwarded-for
        x-forwarded-proto x-forwarded-host x-real-ip x-request-id x-requested-with traceparent tracestate dnt
        sec-fetch-site sec-fetch-mode sec-fetch-user sec-fetch-dest sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform
        sec-websocket-key sec-websocket-version sec-websocket-protocol sec-websocket-extensions priority max-forwards
        keep-alive server etag expires last-modified location set-cookie vary age allow accept-ranges alt-svc
        strict-transport-security content-security-policy x-content-type-options x-frame-options retry-after
        access-control-request-method access-control-request-headers access-control-allow-origin www-authenticate
        content-range content-disposition server-timing save-data sec-gpc
    """.split()
]


cdef inline unsigned int _slot(const char *name, Py_ssize_t length) noexcept nogil:
    """Where `_known` has a name of one octet or more, whatever its case."""
    cdef unsigned int first = lower(name[0]), last = lower(name[length - 1]), middle = lower(name[length >> 1])
    return (first * 37 + last * 101 + middle * 11 + <unsigned int>length * 53) & (SLOTS - 1)


cdef void _remember(bytes name) noexcept:
    _known[_slot(PyBytes_AS_STRING(name), len(name))] = <PyObject *>name


for _name in _kept:
    _remember(_name)


cdef bytes _lower_name(const char *name, Py_ssize_t length):
    cdef PyObject *known = _known[_slot(name, length)]
    cdef bytes made
    cdef char *octets
    cdef Py_ssize_t i
    if known != NULL and len(<bytes>known) == length and is_word(name, PyBytes_AS_STRING(<bytes>known), length):
        return <bytes>known
    made = PyBytes_FromStringAndSize(NULL, length)
    octets = PyBytes_AS_STRING(made)
    for i in range(length):
        octets[i] = lower(name[i])
    return made


cdef class SpanFields(Fields):
    def __init__(self):
        raise TypeError("SpanFields are made by an engine")

    def __dealloc__(self):
        PyMem_Free(self._spans)

    cpdef list lines(self):
        """Return every field line in order. The list is shared: do not change it."""
        cdef Span *span = self._spans
        cdef list made
        cdef tuple line
        cdef Py_ssize_t i
        if self._lines is None:
            made = PyList_New(self._count)
            for i in range(self._count):
                line = (
                    _lower_name(self._base + span.name, span.name_length),
                    PyBytes_FromStringAndSize(self._base + span.value, span.value_length),
                )
                Py_INCREF(line)
                PyList_SET_ITEM(made, i, line)
                span += 1
            self._lines = made
        return self._lines

    cpdef bytes first(self, bytes name):
        """Return the value of the first field line called `name` (lower case), or None."""
        cdef Span *span = self._spans
        cdef const char *word = PyBytes_AS_STRING(name)
        cdef Py_ssize_t i
        for i in range(self._count):
            if <Py_ssize_t>span.name_length == len(name) and is_name(self._base + span.name, word, span.name_length):
                return PyBytes_FromStringAndSize(self._base + span.value, span.value_length)
            span += 1
        return None

    cpdef list all(self, bytes name):
        """Return the values of all field lines called `name` (lower case), in order."""
        cdef Span *span = self._spans
        cdef const char *word = PyBytes_AS_STRING(name)
        cdef list found = []
        cdef Py_ssize_t i
        for i in range(self._count):
            if <Py_ssize_t>span.name_length == len(name) and is_name(self._base + span.name, word, span.name_length):
                found.append(PyBytes_FromStringAndSize(self._base + span.value, span.value_length))
            span += 1
        return found

    def __len__(self):
        return self._count


cdef SpanFields span_fields(Head *head, bytes octets, Py_ssize_t base):
    """Return the section that `head` has read, whose first octet is octets[base]."""
    cdef SpanFields fields = SpanFields.__new__(SpanFields)
    cdef size_t size = head.count * sizeof(Span)
    fields._octets = octets
    fields._base = PyBytes_AS_STRING(octets) + base
    if size:
        fields._spans = <Span *>PyMem_Malloc(size)
        if fields._spans == NULL:
            raise MemoryError
        memcpy(fields._spans, head.spans, size)
    fields._count = head.count
    return fields


keep_spares(SpanFields)
