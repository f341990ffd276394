# cython: language_level=3, embedsignature=True, freethreading_compatible=True
"""What is asked of a loop for every task, with less ado. `_native.py` is the same in Python."""

from cpython.object cimport PyObject
from cpython.weakref cimport PyWeakref_NewRef

cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        object (*tp_new)(type kind, object arguments, PyObject *options)
        int (*tp_init)(object made, object arguments, PyObject *options) except -1
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1


cpdef object new_task(type kind, object coroutine, dict options, object context, object name):
    """Return `kind(coroutine, **options, context=context, name=name)`.

    `options` is kept by the caller and written to, which spares a dictionary a task. So it is not written before the
    object is there, whose making may collect garbage and start others; what the constructor reads from it belongs to
    the caller too.
    """
    cdef PyTypeObject *slots = <PyTypeObject *>kind
    cdef object task = slots.tp_new(kind, (), NULL)
    cdef tuple arguments = (coroutine,)
    options["context"] = context
    options["name"] = name
    slots.tp_init(task, arguments, <PyObject *>options)
    options["context"] = None  # what a request left there ends with it
    return task


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


def get_debug(loop):
    """Return what `BaseEventLoop.get_debug` does."""
    return loop._debug


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
