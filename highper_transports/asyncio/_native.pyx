# cython: language_level=3, embedsignature=True, freethreading_compatible=True
"""What is asked of a loop for every task, with less ado. `_native.py` is the same in Python."""

from cpython.object cimport PyObject
from cpython.weakref cimport PyWeakref_NewRef

from asyncio import BaseEventLoop
from weakref import ref

cdef extern from "Python.h":
    ctypedef struct PyMethodDef:
        const char *ml_name
        void *ml_meth
        int ml_flags
        const char *ml_doc
    int METH_FASTCALL, METH_KEYWORDS, METH_NOARGS
    object PyCFunction_New(PyMethodDef *method, object of)
    object PyObject_Vectorcall(object function, PyObject **arguments, size_t count, PyObject *names)
    ctypedef struct PyTypeObject:
        object (*tp_new)(type kind, object arguments, PyObject *options)
        int (*tp_init)(object made, object arguments, PyObject *options) except -1
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1


cdef object _made = None  # the task that is being made, of those that are registered later


cdef class TaskMaker:
    """Makes tasks: `kind(coroutine, **options, context=context, name=name)`.

    The dictionary that a constructor is given is made once and written to, which spares one a task. So it is not
    written before the object is there, whose making may collect garbage and start others.

    Args:
        late: whoever has them made registers them.
    """

    def __init__(self, type kind, bint late, **options):
        self.kind = kind
        self.late = late
        self.options = options

    cpdef object make(self, object coroutine, object context, object name):
        """Return a new task."""
        global _made
        cdef PyTypeObject *slots = <PyTypeObject *>self.kind
        cdef object task = slots.tp_new(self.kind, (), NULL)
        cdef tuple arguments = (coroutine,)
        self.options["context"] = context
        if name is not self.name:
            self.options["name"] = self.name = name
        if self.late:
            _made = task
        try:
            slots.tp_init(task, arguments, <PyObject *>self.options)
        finally:
            _made = None
        self.options["context"] = None  # what a request left there ends with it
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


# Keeping a first step back

cdef class FirstSteps:
    """What is asked of one loop while tasks are made, and the first steps that wait.

    Attributes:
        context: of the task that is being made; None while none is.
        step: its first step, which `call_soon` has kept back, or None.
        keeping: first steps wait until tasks have been made for others.
        kept: those that wait: starter, task, context and step of each.
    """

    def __cinit__(self):
        self.kept = []


cdef class _Plainly:
    cdef object call_soon  # a loop's own
    cdef dict variables  # its attributes
    cdef readonly FirstSteps first


cdef object _call_soon(_Plainly loop, PyObject **arguments, Py_ssize_t count, PyObject *names):
    """Call soon, as the loop does; but keep back what is asked for in the context of the first step."""
    cdef FirstSteps first = loop.first
    if (
        count == 1
        and names != NULL
        and arguments[1] == <PyObject *>first.context
        and first.context is not None
        and len(<tuple>names) == 1
    ):
        first.step = <object>arguments[0]
        return None
    return PyObject_Vectorcall(loop.call_soon, arguments, count, names)


cdef object _get_debug(_Plainly loop, PyObject *nothing):
    """Return what `BaseEventLoop.get_debug` does."""
    return loop.variables["_debug"]


cdef PyMethodDef[2] _asked = [
    PyMethodDef("call_soon", <void *>_call_soon, METH_FASTCALL | METH_KEYWORDS, NULL),
    PyMethodDef("get_debug", <void *>_get_debug, METH_NOARGS, NULL),
]


def answer_tasks(loop):
    """Have a loop answer sooner what a task asks it while it is made, and keep its first step back.

    Returns:
        where that is kept; None for a loop that has no attributes of its own.
    """
    cdef _Plainly plainly
    cdef dict variables = getattr(loop, "__dict__", None)
    if variables is None:
        return None
    known = getattr(variables.get("call_soon"), "__self__", None)
    if isinstance(known, _Plainly):
        return (<_Plainly>known).first
    plainly = _Plainly()
    plainly.call_soon = loop.call_soon
    plainly.variables = variables
    plainly.first = FirstSteps()
    if "get_debug" not in variables and type(loop).get_debug is BaseEventLoop.get_debug:
        loop.get_debug = PyCFunction_New(&_asked[1], plainly)
    loop.call_soon = PyCFunction_New(&_asked[0], plainly)
    return plainly.first


# Being among all tasks

class _Stepping(ref):
    """Stands among the references to all tasks for the one whose first step its starter runs."""

    __slots__ = ()

    def __call__(self):
        starter = super().__call__()
        return None if starter is None else starter.stepping


cdef class Registration:
    """Does what `members.add` does, where that is a `weakref.WeakSet`, but for a task that is being made.

    That one is seen through its starter while its first step runs, and is added when it has outlived that. The
    references are the set's own kind: they leave its `data` when their object dies, later while it is iterated.
    """

    def __init__(self, members):
        self.members = members
        self.data = members.data
        self.pending = members._pending_removals
        self.iterating = members._iterating
        self.forget = self._forget

    def add_made(self, member):
        """Add a member, unless it is being made."""
        if member is not _made:
            self.add(member)

    cpdef object add(self, object member):
        """Add a member."""
        if self.pending:
            self.members._commit_removals()
        self.data.add(PyWeakref_NewRef(member, self.forget))

    def add_stepping(self, starter):
        """Have what `starter` is stepping among the members."""
        self.data.add(_Stepping(starter, self.forget))

    def _forget(self, reference):
        if self.iterating:
            self.members._remove(reference)
        else:
            self.data.discard(reference)
