# cython: language_level=3, embedsignature=True, freethreading_compatible=True
"""What the interpreter's C interface does with less ado: steps of coroutines, contexts, and the clock.

A coroutine that returns tells so there without an exception, a context is entered without a call, and a second is no
object. Octets are judged many at a time. `_native.py` is the same in Python, for where this is not built.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.time cimport time

from highper_core.engines.fast._bytes cimport text_end

cdef extern from "Python.h":
    ctypedef enum PySendResult:
        PYGEN_RETURN
        PYGEN_ERROR
        PYGEN_NEXT
    PySendResult PyIter_Send(object coroutine, object value, PyObject **outcome) except PYGEN_ERROR
    object PyContext_Copy(object context)
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1

cdef extern from *:
    """
    #define HIGHPER_STOLEN(object) ((PyObject *)(object))
    """
    object stolen "HIGHPER_STOLEN"(PyObject *reference)


cdef class Step:
    """Something that can be run in a context."""

    cpdef object go(self):
        """Run."""
        raise NotImplementedError


cpdef object resume(object coroutine, Step step):
    """Run `coroutine` to its next wait and return what it waits for; `step`, with its outcome, when it has returned."""
    cdef PyObject *outcome = NULL
    if PyIter_Send(coroutine, None, &outcome) == PYGEN_NEXT:
        return stolen(outcome)
    step.outcome = stolen(outcome)
    return step


cpdef object run_in(object variables, Step step):
    """Run `step` in the context `variables`."""
    PyContext_Enter(variables)
    try:
        return step.go()
    finally:
        PyContext_Exit(variables)


cpdef object call_in(object variables, object function, object first, object second):
    """Call `function(first, second)` in the context `variables`."""
    PyContext_Enter(variables)
    try:
        return function(first, second)
    finally:
        PyContext_Exit(variables)


cpdef object copy_of(object variables):
    """Return a copy of a context."""
    return PyContext_Copy(variables)


cpdef bint is_text(bytes octets) noexcept:
    """Return whether a field may hold these octets: no controls but HTAB. Source: RFC 9110 section 5.5."""
    cdef const char *begin = PyBytes_AS_STRING(octets)
    cdef const char *end = begin + PyBytes_GET_SIZE(octets)
    return text_end(begin, end) == end


cpdef long clock_second() noexcept:
    """Return the second that the system's clock shows."""
    return time(NULL)
