# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""The guard of the pool: who else holds a record, told by its reference count.

A part of a record (request, response) that nobody holds is referred to once, by the record. A record that nobody
holds is referred to once, by the list of free ones. Pointers are borrowed and kept for the call only. Where reference
counts prove nothing (free-threaded builds) the answer is always "held".
"""

from cpython.list cimport PyList_GET_ITEM
from cpython.object cimport PyObject

from highper_core.context cimport RequestContext

cdef extern from *:
    """
    #ifdef Py_GIL_DISABLED
    #define HIGHPER_REFERRED_ONCE(object) 0
    #else
    #define HIGHPER_REFERRED_ONCE(object) (Py_REFCNT(object) == 1)
    #endif
    """
    bint referred_once "HIGHPER_REFERRED_ONCE"(PyObject *object) noexcept


cdef inline bint _parts_unheld(RequestContext context) noexcept:
    return referred_once(<PyObject *>context.request) and referred_once(<PyObject *>context.response)


cpdef bint parts_unheld(RequestContext context) noexcept:
    """Return whether nothing but `context` refers to its request and response."""
    return _parts_unheld(context)


cpdef RequestContext take_unheld(list free):
    """Pop and return the last record of `free` (not empty) if nobody else holds it or its parts; else None."""
    cdef PyObject *last = <PyObject *>PyList_GET_ITEM(free, len(free) - 1)
    if referred_once(last) and _parts_unheld(<RequestContext>last):
        return free.pop()
    return None
