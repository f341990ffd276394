# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""What is kept of an open descriptor: a slab of C records by descriptor, and the timer wheel whose lists run through it.

The slab is cut into chunks of 1024 records, mapped when the first of them is opened and given back to the system when
the last is closed; one empty chunk is kept, so that a descriptor at the edge does not map and unmap. The kernel hands
out the lowest free descriptor, which is what keeps the chunks dense.

Time is cut into ticks, and a tick has the slot of the wheel that is its remainder. All entries of a slot are of one
tick between `floor` (exclusive) and `floor + SLOTS`; what is due later waits in the last one and is then filed again.
A slot is a ring of descriptors, so that arming, cancelling and expiring are O(1) each. A deadline is met at its tick
or up to one resolution later, never before.

Not thread-safe: it belongs to the thread of its loop. The garbage collector does not see the references in a record;
who added it removes it, or calls `clear`.
"""

from cpython.exc cimport PyErr_NoMemory
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.ref cimport Py_XDECREF
from libc.math cimport INFINITY, ceil
from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memset

cdef extern from "<sys/mman.h>" nogil:
    void *mmap(void *address, size_t length, int protection, int flags, int fd, long offset)
    int munmap(void *address, size_t length)
    int PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS
    void *MAP_FAILED

cdef extern from *:
    """
    #define HIGHPER_LOWEST_BIT(word) __builtin_ctzll(word)
    """
    int lowest_bit "HIGHPER_LOWEST_BIT"(uint64_t word) noexcept nogil  # of a word that is not 0

cdef enum:
    CHUNK = 1024  # records
    SHIFT = 10

cdef uint32_t NOWHERE = 0xFFFFFFFF
cdef long long LATEST = 0x7FFFFFFFFFFFFFFF
cdef double FARTHEST = 1e15  # ticks; a later deadline is as good as this one
cdef int ANYWHERE = -1


cdef class Records:
    """Records of open descriptors, and their deadlines.

    Args:
        now: seconds, of the clock that deadlines are on.
        resolution: seconds a deadline may be late.

    Attributes:
        open: records in use.
        resting: those at rest.
    """

    def __cinit__(self, double now=0.0, double resolution=0.125):
        if not resolution > 0:
            raise ValueError("a resolution is more than nothing")
        self.resolution = resolution
        self.spare = -1
        self.floor = self.moment = <long long>(now / resolution)
        self.first = LATEST
        memset(self.heads, 0xFF, sizeof(self.heads))

    def __dealloc__(self):
        cdef Py_ssize_t index
        self.clear()
        for index in range(self.room):
            self._unmap(index)
        PyMem_Free(self.chunks)

    # The slab

    cdef Record *add(self, int fd) except NULL:
        if fd < 0:
            raise ValueError("a descriptor is not negative")
        cdef Chunk *chunk = self._have(fd >> SHIFT)
        cdef Record *record = &chunk.records[fd & (CHUNK - 1)]
        if record.state != FREE:
            raise RuntimeError(f"descriptor {fd} is open already")
        self.generation += 1
        if self.generation == 0:
            self.generation = 1
        chunk.used += 1
        if self.spare == fd >> SHIFT:
            self.spare = -1
        self.open += 1
        record.generation = self.generation
        record.slot = NOWHERE
        record.deadline = INFINITY
        record.state = AWAKE
        return record

    cdef Record *get(self, int fd) noexcept:
        cdef Py_ssize_t index = fd >> SHIFT
        cdef Record *record
        if fd < 0 or index >= self.room or self.chunks[index].records == NULL:
            return NULL
        record = &self.chunks[index].records[fd & (CHUNK - 1)]
        return NULL if record.state == FREE else record

    cpdef int remove(self, int fd) except -1:
        """Forget a descriptor, if it is open."""
        cdef Record *record = self.get(fd)
        cdef PyObject *reader
        cdef PyObject *secure
        if record == NULL:
            return 0
        self.take(fd)
        reader, secure = record.reader, record.secure
        memset(record, 0, sizeof(Record))
        self.open -= 1
        self._release(fd >> SHIFT)
        Py_XDECREF(reader)  # last, for it may run anything
        Py_XDECREF(secure)
        return 0

    cpdef int clear(self) except -1:
        """Forget every descriptor."""
        cdef int fd = self.next_open(-1)
        while fd >= 0:
            self.remove(fd)
            fd = self.next_open(fd)
        return 0

    cdef Chunk *_have(self, Py_ssize_t index) except NULL:
        """Return a chunk with memory."""
        cdef Py_ssize_t room
        cdef void *memory
        if index >= self.room:
            room = max(index + 1, 2 * self.room)
            memory = PyMem_Realloc(self.chunks, room * sizeof(Chunk))
            if memory == NULL:
                PyErr_NoMemory()
            self.chunks = <Chunk *>memory
            memset(&self.chunks[self.room], 0, (room - self.room) * sizeof(Chunk))
            self.room = room
        if self.chunks[index].records == NULL:
            memory = mmap(NULL, CHUNK * sizeof(Record), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            if memory == MAP_FAILED:
                PyErr_NoMemory()
            self.chunks[index].records = <Record *>memory
            self.mapped += 1
        return &self.chunks[index]

    cdef void _release(self, Py_ssize_t index) noexcept:
        """Count one record less in a chunk; of two empty ones the higher is given back."""
        cdef Py_ssize_t other = self.spare
        self.chunks[index].used -= 1
        if self.chunks[index].used:
            return
        self.spare = index if other < 0 else min(index, other)
        if other >= 0:
            self._unmap(max(index, other))

    cdef void _unmap(self, Py_ssize_t index) noexcept:
        if self.chunks[index].records != NULL:
            munmap(self.chunks[index].records, CHUNK * sizeof(Record))
            self.chunks[index].records = NULL
            self.mapped -= 1

    cpdef int next_open(self, int after) noexcept:
        """Return the lowest open descriptor above `after`, or -1."""
        return self._following(after, ANYWHERE)

    cpdef int next_resting(self, uint16_t place, int after) noexcept:
        """Return the lowest descriptor above `after` that is at rest and of `place`, or -1."""
        return self._following(after, place)

    cdef int _following(self, int after, int place) noexcept:
        cdef int fd = after + 1 if after >= 0 else 0
        cdef Chunk *chunk
        cdef Record *record
        while fd >> SHIFT < self.room:
            chunk = &self.chunks[fd >> SHIFT]
            if not chunk.used:
                fd = ((fd >> SHIFT) + 1) << SHIFT
                continue
            record = &chunk.records[fd & (CHUNK - 1)]
            if place == ANYWHERE:
                if record.state != FREE:
                    return fd
            elif record.state == RESTING and record.place == place:
                return fd
            fd += 1
        return -1

    # The wheel

    cpdef int lay(self, int fd, double deadline) except -1:
        """Let an open descriptor rest until `deadline`."""
        cdef Record *record = self.get(fd)
        if record == NULL:
            raise KeyError(fd)
        if deadline != deadline:
            raise ValueError("a deadline is a number")
        if record.state == AWAKE:
            record.state = RESTING
            self.resting += 1
        elif record.slot != NOWHERE:
            self._unfile(fd, record)
        record.deadline = deadline
        if deadline != INFINITY:
            self._file(fd, record)
        return 0

    cpdef int take(self, int fd) except -1:
        """Let a descriptor at rest be awake."""
        cdef Record *record = self.get(fd)
        if record == NULL or record.state != RESTING:
            return 0
        if record.slot != NOWHERE:
            self._unfile(fd, record)
        record.deadline = INFINITY
        record.state = AWAKE
        self.resting -= 1
        return 0

    cpdef double next_deadline(self) noexcept:
        """Return the time of the earliest tick somebody is filed under; infinity for none."""
        return INFINITY if self.first == LATEST else self.first * self.resolution

    cdef Py_ssize_t expire(self, double now, int *fds, Py_ssize_t room) noexcept:
        cdef long long moment = <long long>(now / self.resolution)
        cdef Py_ssize_t count = 0
        cdef uint32_t slot
        cdef int fd
        cdef Record *record
        if moment > self.moment:
            self.moment = moment
        while self.first <= moment:
            slot = self.first & (SLOTS - 1)
            self.floor = self.first - 1
            while self.heads[slot] != NOWHERE:
                if count == room:
                    return count
                fd = <int>self.heads[slot]
                record = &self.chunks[fd >> SHIFT].records[fd & (CHUNK - 1)]
                self._unfile(fd, record)
                if record.deadline <= now:
                    fds[count] = fd
                    count += 1
                else:
                    self._file(fd, record)
        if moment > self.floor:
            self.floor = moment  # every slot up to it is empty
        return count

    cdef void _file(self, int fd, Record *record) noexcept:
        """Put an entry into the slot of its tick, which is never one that `expire` is emptying or has emptied."""
        cdef double exact = ceil(record.deadline / self.resolution)
        cdef long long tick = <long long>min(max(exact, -FARTHEST), FARTHEST)
        cdef uint32_t slot, head
        cdef Record *neighbour
        tick = max(tick, self.moment + 1, self.floor + 1)
        tick = min(tick, self.floor + SLOTS - 1)
        slot = tick & (SLOTS - 1)
        head = self.heads[slot]
        record.slot = slot
        if head == NOWHERE:
            record.next = record.previous = <uint32_t>fd
            self.heads[slot] = <uint32_t>fd
            self.occupied[slot >> 6] |= <uint64_t>1 << (slot & 63)
            self.first = min(self.first, tick)
            return
        neighbour = &self.chunks[head >> SHIFT].records[head & (CHUNK - 1)]
        record.next = head
        record.previous = neighbour.previous
        neighbour.previous = <uint32_t>fd
        neighbour = &self.chunks[record.previous >> SHIFT].records[record.previous & (CHUNK - 1)]
        neighbour.next = <uint32_t>fd

    cdef void _unfile(self, int fd, Record *record) noexcept:
        cdef uint32_t slot = record.slot
        record.slot = NOWHERE
        if record.next == <uint32_t>fd:
            self.heads[slot] = NOWHERE
            self.occupied[slot >> 6] &= ~(<uint64_t>1 << (slot & 63))
            if self.first & (SLOTS - 1) == slot:
                self.first = self._earliest()
            return
        if self.heads[slot] == <uint32_t>fd:
            self.heads[slot] = record.next
        self.chunks[record.next >> SHIFT].records[record.next & (CHUNK - 1)].previous = record.previous
        self.chunks[record.previous >> SHIFT].records[record.previous & (CHUNK - 1)].next = record.next

    cdef long long _earliest(self) noexcept:
        """Return the first tick after `floor` whose slot is occupied, or LATEST."""
        cdef int start = (self.floor + 1) & (SLOTS - 1)
        cdef int step, word, slot
        cdef uint64_t bits
        for step in range(SLOT_WORDS + 1):  # the first word once more, for its lower half
            word = ((start >> 6) + step) & (SLOT_WORDS - 1)
            bits = self.occupied[word]
            if step == 0:
                bits &= ~<uint64_t>0 << (start & 63)
            if bits:
                slot = (word << 6) + lowest_bit(bits)
                return self.floor + 1 + ((slot - start) & (SLOTS - 1))
        return LATEST

    # For Python

    def enter(self, int fd, int place=0):
        """Add a record for descriptor `fd`, awake, accepted at `place`; return its generation.

        Raises:
            ValueError: the descriptor is negative, or the place no 16-bit number.
            RuntimeError: it has a record.
        """
        if not 0 <= place <= 0xFFFF:
            raise ValueError("a place is a 16-bit number")
        cdef Record *record = self.add(fd)
        record.place = <uint16_t>place
        return record.generation

    def expired(self, double now, Py_ssize_t room=CHUNK):
        """Take at most `room` entries out whose deadline has passed; return their descriptors."""
        cdef int fds[CHUNK]
        cdef Py_ssize_t count = self.expire(now, fds, max(0, min(room, CHUNK)))
        return [fds[i] for i in range(count)]

    def statistics(self):
        """Return counts: open, resting, bytes mapped for records, bytes of everything."""
        slab = self.mapped * CHUNK * sizeof(Record)
        directory = self.room * sizeof(Chunk) + sizeof(self.heads) + sizeof(self.occupied)
        return {"open": self.open, "resting": self.resting, "slab": slab, "bytes": slab + directory}
