# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""The life cycle of a connection: the flat table of `state`, and its joint rules over again in C.

A test compares both over the full product of roles, states, inputs and conditions.
"""

from libc.string cimport memcpy

from highper_core.state import TABLE

cdef enum:
    ROLES = 2
    STATES = 9
    INPUTS = 8

cdef unsigned char _table[ROLES * STATES * INPUTS]
assert len(TABLE) == sizeof(_table), "the table of states has another shape"
memcpy(_table, <const char *><bytes>TABLE, sizeof(_table))


cdef int next_state(int role, int state, int what) noexcept nogil:
    """The state after an input, or ILLEGAL."""
    return _table[(role * STATES + state) * INPUTS + what]


cdef void settle(Life *life) noexcept nogil:
    """Apply the joint rules until nothing changes."""
    cdef int client = life.states[CLIENT], server = life.states[SERVER]
    cdef int client_before, server_before
    while True:
        client_before, server_before = client, server
        if life.switch_proposed and client == DONE:
            client = MIGHT_SWITCH_PROTOCOL
        if not life.switch_proposed and client == MIGHT_SWITCH_PROTOCOL:
            client = DONE
        if server == SWITCHED_PROTOCOL and client == MIGHT_SWITCH_PROTOCOL:
            client = SWITCHED_PROTOCOL
        if not life.keep_alive:
            if client == DONE:
                client = MUST_CLOSE
            if server == DONE:
                server = MUST_CLOSE
        if (client == CLOSED or client == ERROR) and server == DONE:
            server = MUST_CLOSE
        if client == CLOSED and server == IDLE:
            server = MUST_CLOSE
        if server == CLOSED and (client == DONE or client == IDLE) or server == ERROR and client == DONE:
            client = MUST_CLOSE
        if client == client_before and server == server_before:
            break
    life.states[CLIENT] = client
    life.states[SERVER] = server


def settled(int client, int server, bint keep_alive, bint switch_proposed):
    """Return both states after the joint rules; for comparison with `state.settle`."""
    cdef Life life
    life.states[CLIENT] = client
    life.states[SERVER] = server
    life.keep_alive = keep_alive
    life.switch_proposed = switch_proposed
    settle(&life)
    return life.states[CLIENT], life.states[SERVER]


def table():
    """Return the table this module runs on; for comparison with `state.TABLE`."""
    return bytes(_table[i] for i in range(sizeof(_table)))
