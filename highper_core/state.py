"""The life cycle of an HTTP/1 connection, as tables.

Two roles speak, and each has a state. An input moves the state of the role it belongs to; a missing row is a protocol
error. Then joint rules, which look at both states, are applied until nothing changes. Both peers obey the same
tables, so a client and a server that see the same messages agree on every state.

               CLIENT                                     SERVER
    IDLE  --REQUEST-->  SEND_BODY               IDLE  --(client's REQUEST)-->  SEND_RESPONSE
    SEND_BODY --END-->  DONE                    SEND_RESPONSE --RESPONSE-->  SEND_BODY --END-->  DONE

Both DONE: the next cycle may start, unless the connection is not persistent, then DONE becomes MUST_CLOSE
(RFC 9112 section 9.3). A client that proposed a switch (Upgrade, CONNECT) waits in MIGHT_SWITCH_PROTOCOL after its
message; the server's 101 or 2xx makes both SWITCHED_PROTOCOL, any other final response makes it DONE again.

`TABLE` is the same rows as one flat string of bytes, which compiled code copies at import and runs on.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

__all__ = ["ILLEGAL", "JOINT_ROWS", "ROWS", "TABLE", "Input", "Role", "State", "next_state", "settle"]


class Role(IntEnum):
    """Which side of the conversation."""

    CLIENT = 0
    SERVER = 1


class State(IntEnum):
    """Where a role is in its cycle."""

    IDLE = 0
    SEND_RESPONSE = 1
    SEND_BODY = 2
    DONE = 3
    MUST_CLOSE = 4
    CLOSED = 5
    ERROR = 6
    MIGHT_SWITCH_PROTOCOL = 7
    SWITCHED_PROTOCOL = 8


class Input(IntEnum):
    """What can happen to a role: its own events, the peer's request, and an accepted switch."""

    REQUEST = 0
    INFORMATIONAL_RESPONSE = 1
    RESPONSE = 2
    DATA = 3
    END_OF_MESSAGE = 4
    CONNECTION_CLOSED = 5
    PEER_REQUEST = 6  # to the SERVER: the client's request arrived
    SWITCH = 7  # to the SERVER: a 101, or a 2xx to CONNECT, that was proposed


ILLEGAL: Final = 255

_S, _I = State, Input

ROWS: Final[dict[Role, tuple[tuple[State, Input, State], ...]]] = {
    Role.CLIENT: (
        (_S.IDLE, _I.REQUEST, _S.SEND_BODY),
        (_S.IDLE, _I.CONNECTION_CLOSED, _S.CLOSED),
        (_S.SEND_BODY, _I.DATA, _S.SEND_BODY),
        (_S.SEND_BODY, _I.END_OF_MESSAGE, _S.DONE),
        (_S.DONE, _I.CONNECTION_CLOSED, _S.CLOSED),
        (_S.MUST_CLOSE, _I.CONNECTION_CLOSED, _S.CLOSED),
        (_S.CLOSED, _I.CONNECTION_CLOSED, _S.CLOSED),
    ),
    Role.SERVER: (
        (_S.IDLE, _I.CONNECTION_CLOSED, _S.CLOSED),
        (_S.IDLE, _I.PEER_REQUEST, _S.SEND_RESPONSE),
        (_S.IDLE, _I.RESPONSE, _S.SEND_BODY),  # the answer to a request that could not be read
        (_S.SEND_RESPONSE, _I.INFORMATIONAL_RESPONSE, _S.SEND_RESPONSE),
        (_S.SEND_RESPONSE, _I.RESPONSE, _S.SEND_BODY),
        (_S.SEND_RESPONSE, _I.SWITCH, _S.SWITCHED_PROTOCOL),
        (_S.SEND_BODY, _I.DATA, _S.SEND_BODY),
        (_S.SEND_BODY, _I.END_OF_MESSAGE, _S.DONE),
        (_S.DONE, _I.CONNECTION_CLOSED, _S.CLOSED),
        (_S.MUST_CLOSE, _I.CONNECTION_CLOSED, _S.CLOSED),
        (_S.CLOSED, _I.CONNECTION_CLOSED, _S.CLOSED),
    ),
}


def _flatten() -> bytes:
    table = bytearray([ILLEGAL]) * (len(Role) * len(State) * len(Input))
    for role, rows in ROWS.items():
        for state, event, after in rows:
            table[(role * len(State) + state) * len(Input) + event] = after
    return bytes(table)


TABLE: Final = _flatten()


def next_state(role: Role, state: State, event: Input) -> int:
    """Return the state after `event`, or ILLEGAL."""
    return TABLE[(role * len(State) + state) * len(Input) + event]


JOINT_ROWS: Final[dict[tuple[State, State], tuple[State, State]]] = {
    # (client, server): (client, server) afterwards
    # An accepted switch
    (_S.MIGHT_SWITCH_PROTOCOL, _S.SWITCHED_PROTOCOL): (_S.SWITCHED_PROTOCOL, _S.SWITCHED_PROTOCOL),
    # Who is left behind by the other's close or error can only close
    (_S.CLOSED, _S.DONE): (_S.CLOSED, _S.MUST_CLOSE),
    (_S.CLOSED, _S.IDLE): (_S.CLOSED, _S.MUST_CLOSE),
    (_S.ERROR, _S.DONE): (_S.ERROR, _S.MUST_CLOSE),
    (_S.DONE, _S.CLOSED): (_S.MUST_CLOSE, _S.CLOSED),
    (_S.IDLE, _S.CLOSED): (_S.MUST_CLOSE, _S.CLOSED),
    (_S.DONE, _S.ERROR): (_S.MUST_CLOSE, _S.ERROR),
}


def settle(client: State, server: State, *, keep_alive: bool, switch_proposed: bool) -> tuple[State, State]:
    """Apply the joint rules until nothing changes.

    A proposed switch takes precedence over a connection that does not persist: only when the server declines does the
    client's DONE become MUST_CLOSE.

    Args:
        client, server: state of each role.
        keep_alive: the connection is persistent so far.
        switch_proposed: the current request proposed an upgrade or CONNECT and the server has not declined.

    Returns:
        the two states, in the same order.
    """
    while True:
        before = (client, server)
        if switch_proposed and client is State.DONE:
            client = State.MIGHT_SWITCH_PROTOCOL
        if not switch_proposed and client is State.MIGHT_SWITCH_PROTOCOL:
            client = State.DONE
        if not keep_alive:
            client = State.MUST_CLOSE if client is State.DONE else client
            server = State.MUST_CLOSE if server is State.DONE else server
        client, server = JOINT_ROWS.get((client, server), (client, server))
        if (client, server) == before:
            return before
