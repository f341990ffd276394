# cython: language_level=3
"""Bytes objects that are filled after they were made: where received content goes without a copy.

Precondition of `writable`: the object was made by `new_bytes`, nobody else has seen it, and the view is released
before anybody does.
"""

from cpython.buffer cimport PyBUF_WRITE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.memoryview cimport PyMemoryView_FromMemory


def new_bytes(Py_ssize_t length):
    """Return a bytes object of `length` octets with no particular values."""
    return PyBytes_FromStringAndSize(NULL, length)


def writable(bytes data not None):
    """Return a writable view of `data`."""
    return PyMemoryView_FromMemory(PyBytes_AS_STRING(data), len(data), PyBUF_WRITE)
