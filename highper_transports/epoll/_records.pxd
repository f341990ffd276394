# What is kept of an open descriptor: a slab of C records by descriptor, and the timer wheel whose lists run through it.

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    SLOTS = 1024  # of the wheel: at 0.125 s each, 128 s; a later deadline is filed again
    SLOT_WORDS = 16  # of 64 bits

cdef enum:
    FREE = 0
    AWAKE = 1
    RESTING = 2

# One open descriptor: 64 bytes. While the stream rests, this and what it refers to is all there is of it.
# `next`, `previous`, `slot` and `state` belong to `Records`; the other fields are whoever's opened the descriptor.
cdef struct Record:
    PyObject *reader  # owned reference to the awake stream, or at rest to the receiver that is kept; NULL for neither
    PyObject *secure  # the TLS session (owned reference), NULL in plain
    double deadline  # at rest: when it ends; infinity for never
    uint32_t generation  # of this use of the descriptor, never 0: tells a stale event
    uint32_t next  # neighbours in its slot of the wheel, a ring of descriptors
    uint32_t previous
    uint32_t slot  # of the wheel, NOWHERE if it is in none
    uint16_t place  # where it was accepted
    uint16_t port  # the peer, so that no system call asks for it later
    uint8_t family
    uint8_t state
    uint8_t flags
    uint8_t spare
    uint8_t address[16]

# The stream of a record that is awake, NULL at rest.
cdef inline PyObject *stream_of(const Record *record) noexcept:
    return record.reader if record.state == AWAKE else NULL


# Whether it is at rest, with a receiver that is kept.
cdef inline bint dozes(const Record *record) noexcept:
    return record.state == RESTING and record.reader != NULL


# A piece of the slab. `used` counts its open records.
cdef struct Chunk:
    Record *records
    Py_ssize_t used


@cython.final
cdef class Records:
    cdef readonly Py_ssize_t open
    cdef readonly Py_ssize_t resting
    cdef readonly double resolution
    cdef Chunk *chunks
    cdef Py_ssize_t room  # chunks the directory has room for
    cdef Py_ssize_t mapped  # chunks that have memory
    cdef Py_ssize_t spare  # index of the one empty chunk that is kept, or -1
    cdef uint32_t generation
    cdef uint32_t heads[SLOTS]
    cdef uint64_t occupied[SLOT_WORDS]
    cdef long long floor  # ticks up to it were emptied
    cdef long long moment  # tick of the last `expire`
    cdef long long first  # earliest tick somebody is filed under, or LATEST

    # Return the record of a descriptor that was just opened, AWAKE, zeroed but for its generation.
    cdef Record *add(self, int fd) except NULL
    # Return the record of an open descriptor, NULL where none is open. Valid until `remove`.
    cdef Record *get(self, int fd) noexcept
    # Forget a descriptor: out of the wheel, its references dropped. Does nothing where none is open.
    cpdef int remove(self, int fd) except -1
    # Forget every descriptor.
    cpdef int clear(self) except -1
    # The record is at rest until `deadline`, or has another one now. Its `reader` reference is the caller's affair.
    cpdef int lay(self, int fd, double deadline) except -1
    # The record is awake: out of the wheel. Does nothing where it is not at rest.
    cpdef int take(self, int fd) except -1
    # Return the time of the earliest tick that somebody is filed under, infinity for none.
    cpdef double next_deadline(self) noexcept
    # Take those whose deadline has passed out of the wheel, at most `room`, and store their descriptors. They are at
    # rest still, with nothing that would end them. Less than `room` means that nobody else is due. Cheap when nobody
    # is, and to be called on every turn, for it tells the time.
    cdef Py_ssize_t expire(self, double now, int *fds, Py_ssize_t room) noexcept
    # Return the lowest descriptor above `after` that is open; -1 for none. Any may be removed between two calls.
    cpdef int next_open(self, int after) noexcept
    # The same, of those at rest that were accepted at `place`.
    cpdef int next_resting(self, uint16_t place, int after) noexcept

    cdef Chunk *_have(self, Py_ssize_t index) except NULL
    cdef void _release(self, Py_ssize_t index) noexcept
    cdef void _unmap(self, Py_ssize_t index) noexcept
    cdef int _following(self, int after, int place) noexcept
    cdef void _file(self, int fd, Record *record) noexcept
    cdef void _unfile(self, int fd, Record *record) noexcept
    cdef long long _earliest(self) noexcept
