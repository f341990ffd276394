# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""What both halves of a connection share: the states of both roles, the input, the clocks."""

from libc.string cimport memset

from highper_core.connection cimport Connection
from highper_core.errors import Fault, LocalProtocolError, remote_error
from highper_core.state import Role, State

from ._buffer cimport Buffer
from ._clocks cimport *
from ._life cimport *
from ._limits cimport bounds_of

cdef tuple STATES = tuple(State)
cdef object SERVER_ROLE = Role.SERVER
cdef bytes CONNECT = b"CONNECT"

cdef tuple _FAULT_OF_PHASE = (
    Fault.NONE,
    Fault.FIRST_BYTE_TIMEOUT,
    Fault.IDLE_TIMEOUT,
    Fault.HEAD_TIMEOUT,
    Fault.CONTENT_TIMEOUT,
    Fault.CONTENT_TOO_SLOW,
)


cdef class Conversation(Connection):
    """One HTTP conversation, without reading and writing."""

    def __cinit__(self):
        self._input = Buffer.__new__(Buffer)

    def __init__(self, role, limits):
        self.role = role
        self.limits = limits
        self._ours = SERVER if role is SERVER_ROLE else CLIENT
        self._theirs = CLIENT if role is SERVER_ROLE else SERVER
        self._bounds = bounds_of(limits)
        self.reset()

    cpdef object reset(self):
        """Become as newly made, keeping role and limits; for a pool."""
        self._begin_anew()

    cdef void _begin_anew(self) noexcept:
        self._life.keep_alive = True
        memset(&self._clocks, 0, sizeof(self._clocks))
        if self._ours == SERVER:
            clocks_begin(&self._clocks, PHASE_FIRST_BYTE)
        self._now = 0.0
        self._fault = 0
        self._input.clear()
        self._ended = False
        self._begin_cycle()

    cdef void _begin_cycle(self) noexcept:
        """Begin an exchange of which nothing is known."""
        self._life.states[CLIENT] = self._life.states[SERVER] = IDLE
        self._life.switch_proposed = False
        self._method = b""
        self._modern = False  # until told otherwise, nothing newer is assumed
        self._upgrade_proposed = False
        self._waiting_for_continue = False

    # States

    @property
    def our_state(self):
        """State of our role."""
        return STATES[self._life.states[self._ours]]

    @property
    def their_state(self):
        """State of the peer's role."""
        return STATES[self._life.states[self._theirs]]

    cdef void _advance(self, int role, int what) noexcept:
        """Move a role. Precondition: the table has this row."""
        self._life.states[role] = next_state(role, self._life.states[role], what)
        if what == IN_REQUEST:
            self._life.states[SERVER] = next_state(SERVER, self._life.states[SERVER], IN_PEER_REQUEST)
        elif what == IN_RESPONSE:
            self._life.switch_proposed = False
        settle(&self._life)

    cdef object _fail(self, int fault):
        """Raise `fault`, negated; the peer is in ERROR from here on."""
        self._fault = -fault
        self._life.keep_alive = False
        self._life.states[self._theirs] = ERROR
        settle(&self._life)
        clocks_begin(&self._clocks, PHASE_OFF)
        raise remote_error(Fault(-fault))

    cdef void _propose(self, bint upgrade) noexcept:
        """Note what the request proposes."""
        self._upgrade_proposed = upgrade
        self._life.switch_proposed = upgrade or self._method == CONNECT

    cdef int _response_input(self, bint interim, int status) noexcept:
        """What a response is to the state of the server: a switch, or what its class says."""
        if interim:
            return IN_SWITCH if status == 101 and self._upgrade_proposed else IN_INFORMATIONAL_RESPONSE
        return IN_SWITCH if 200 <= status < 300 and self._method == CONNECT else IN_RESPONSE

    @property
    def waiting_for_continue(self):
        """True while the peer holds its content back for a 100."""
        return self._waiting_for_continue

    # Input

    cdef bint _awaits_head(self) noexcept:
        return self._life.states[self._theirs] == (IDLE if self._ours == SERVER else SEND_RESPONSE)

    cpdef object receive_data(self, object data, double now=0.0):
        """Append bytes from the peer; empty means end of input."""
        cdef Py_ssize_t length = len(data)
        if not length:
            self._ended = True
            return
        if self._ended:
            raise LocalProtocolError(Fault.EVENT_ILLEGAL, "bytes after the end of input")
        self._now = now
        if self._clocks.phase == PHASE_CONTENT:
            clocks_receive(&self._clocks, length, now)
        elif self._clocks.phase != PHASE_HEAD and self._awaits_head():
            clocks_begin_at(&self._clocks, PHASE_HEAD, now)
        if not self._fault:
            self._input.append(data)

    @property
    def unparsed(self):
        """Bytes received and not yet parsed."""
        return self._input.length()

    @property
    def trailing_data(self):
        """Bytes received and not parsed, and whether the input has ended."""
        return self._input.data()[: self._input.length()], self._ended

    # Deadlines

    cpdef double next_deadline(self) except? -1.0:
        """Monotonic second at which `expired` wants to be asked; infinity for never."""
        return clocks_deadline(&self._clocks, &self._bounds.times)

    cpdef object expired(self, double now):
        """Return the fault of the deadline that has passed, or `Fault.NONE`."""
        return _FAULT_OF_PHASE[clocks_expired(&self._clocks, &self._bounds.times, now)]

    cpdef object pause_reading(self, double now):
        """Stop the clocks of a message body."""
        clocks_pause(&self._clocks, now)

    cpdef object resume_reading(self, double now):
        """Start the clocks of a message body again."""
        clocks_resume(&self._clocks, now)
