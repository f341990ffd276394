# cython: language_level=3, embedsignature=True, freethreading_compatible=True
"""Entering a context without a call, and a quicker way into a weak set. `_native.py` is the same in Python."""

from cpython.weakref cimport PyWeakref_NewRef

cdef extern from "Python.h":
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1


cpdef object run_in(object context, object step):
    """Call `step` in `context`.

    Raises:
        RuntimeError: the context has been entered already.
    """
    PyContext_Enter(context)
    try:
        return step()
    finally:
        PyContext_Exit(context)


def registration(members):
    """Return what `members.add` does, where that is a `weakref.WeakSet`.

    The references are the set's own kind: they leave its `data` when their object dies, later while it is iterated.
    """
    cdef set data = members.data
    cdef list pending = members._pending_removals
    cdef set iterating = members._iterating
    remove = members._remove

    def forget(reference):
        if iterating:
            remove(reference)
        else:
            data.discard(reference)

    def add(member):
        if pending:
            members._commit_removals()
        data.add(PyWeakref_NewRef(member, forget))

    return add
