"""The life-cycle tables, over the full product of states and inputs: against h11's, and against the RFCs' text."""

from __future__ import annotations

from itertools import product

import h11
import pytest
from h11 import _state as oracle

from highper_core.state import ILLEGAL, JOINT_ROWS, ROWS, TABLE, Input, Role, State, next_state, settle

H11_ROLES = {Role.CLIENT: h11.CLIENT, Role.SERVER: h11.SERVER}
H11_STATES = {state: getattr(h11, state.name) for state in State}
H11_INPUTS = {
    Input.REQUEST: [h11.Request],
    Input.INFORMATIONAL_RESPONSE: [h11.InformationalResponse],
    Input.RESPONSE: [h11.Response],
    Input.DATA: [h11.Data],
    Input.END_OF_MESSAGE: [h11.EndOfMessage],
    Input.CONNECTION_CLOSED: [h11.ConnectionClosed],
    Input.PEER_REQUEST: [(h11.Request, h11.CLIENT)],
    Input.SWITCH: [
        (h11.InformationalResponse, oracle._SWITCH_UPGRADE),
        (h11.Response, oracle._SWITCH_CONNECT),
    ],
}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Input)
def test_every_input_in_every_state_as_h11(role: Role, state: State, event: Input) -> None:
    """288 cells: the state afterwards, or its absence, is h11's."""
    rows = oracle.EVENT_TRIGGERED_TRANSITIONS[H11_ROLES[role]].get(H11_STATES[state], {})
    found = {rows.get(what) for what in H11_INPUTS[event]}
    assert len(found) == 1
    expected = found.pop()
    after = next_state(role, state, event)
    assert (None if after == ILLEGAL else H11_STATES[State(after)]) is expected


def test_joint_rules_as_h11() -> None:
    """Both roles' states, persistence, a proposed switch, all combined, settle where h11's settle, and stay there."""
    for client, server, keep_alive, proposed in product(State, State, (True, False), (True, False)):
        if client is State.SEND_RESPONSE or server is State.MIGHT_SWITCH_PROTOCOL:
            continue  # no row leads a role into the other's state
        reference = oracle.ConnectionState()
        reference.states = {h11.CLIENT: H11_STATES[client], h11.SERVER: H11_STATES[server]}
        reference.keep_alive = keep_alive
        reference.pending_switch_proposals = {oracle._SWITCH_UPGRADE} if proposed else set()
        reference._fire_state_triggered_transitions()
        after = settle(client, server, keep_alive=keep_alive, switch_proposed=proposed)
        assert reference.states == {h11.CLIENT: H11_STATES[after[0]], h11.SERVER: H11_STATES[after[1]]}
        assert settle(*after, keep_alive=keep_alive, switch_proposed=proposed) == after


def test_joint_rows_as_h11() -> None:
    """The table of joint rules has h11's rows and no other."""
    expected = {}
    for (client, server), changes in oracle.STATE_TRIGGERED_TRANSITIONS.items():
        expected[client, server] = (changes.get(h11.CLIENT, client), changes.get(h11.SERVER, server))
    ours = {
        (H11_STATES[before[0]], H11_STATES[before[1]]): (H11_STATES[after[0]], H11_STATES[after[1]])
        for before, after in JOINT_ROWS.items()
    }
    assert ours == expected


def test_flat_table_is_the_rows() -> None:
    """Every row stands in the flat table, and nothing else does."""
    cells = sum(len(rows) for rows in ROWS.values())
    assert len(TABLE) == len(Role) * len(State) * len(Input)
    assert len(TABLE) - TABLE.count(ILLEGAL) == cells
    for role, rows in ROWS.items():
        for state, event, after in rows:
            assert next_state(role, state, event) == after


_C, _S, _I = Role.CLIENT, Role.SERVER, Input

RFC_TEXT: tuple[tuple[str, tuple[tuple[Role, Input], ...], bool, bool, tuple[State, State]], ...] = (
    # what the text says, what happens, persistent, switch proposed, where both end
    (
        "RFC 9112 9.3: a message with its length known, both sides: the connection goes on",
        ((_C, _I.REQUEST), (_C, _I.END_OF_MESSAGE), (_S, _I.RESPONSE), (_S, _I.DATA), (_S, _I.END_OF_MESSAGE)),
        True,
        False,
        (State.DONE, State.DONE),
    ),
    (
        "RFC 9112 9.6: a sender of `close` sends nothing more once its message is over",
        ((_C, _I.REQUEST), (_C, _I.END_OF_MESSAGE)),
        False,
        False,
        (State.MUST_CLOSE, State.SEND_RESPONSE),
    ),
    (
        "RFC 9112 9.6: the server closes after the final response",
        ((_C, _I.REQUEST), (_C, _I.END_OF_MESSAGE), (_S, _I.RESPONSE), (_S, _I.END_OF_MESSAGE)),
        False,
        False,
        (State.MUST_CLOSE, State.MUST_CLOSE),
    ),
    (
        "RFC 9110 15.2: interim responses precede the final one, any number of them",
        ((_C, _I.REQUEST), (_S, _I.INFORMATIONAL_RESPONSE), (_S, _I.INFORMATIONAL_RESPONSE), (_S, _I.RESPONSE)),
        True,
        False,
        (State.SEND_BODY, State.SEND_BODY),
    ),
    (
        "RFC 9112 9.5: a server may answer before the request is complete",
        ((_C, _I.REQUEST), (_C, _I.DATA), (_S, _I.RESPONSE), (_S, _I.END_OF_MESSAGE)),
        True,
        False,
        (State.SEND_BODY, State.DONE),
    ),
    (
        "RFC 9110 7.8: a client that proposed an upgrade waits for the verdict",
        ((_C, _I.REQUEST), (_C, _I.END_OF_MESSAGE)),
        True,
        True,
        (State.MIGHT_SWITCH_PROTOCOL, State.SEND_RESPONSE),
    ),
    (
        "RFC 9110 15.2.2: 101 switches right after the empty line",
        ((_C, _I.REQUEST), (_C, _I.END_OF_MESSAGE), (_S, _I.SWITCH)),
        True,
        True,
        (State.SWITCHED_PROTOCOL, State.SWITCHED_PROTOCOL),
    ),
    (
        "RFC 9110 9.3.6: CONNECT in HTTP/1.0 switches although the connection would not persist",
        ((_C, _I.REQUEST), (_C, _I.END_OF_MESSAGE), (_S, _I.SWITCH)),
        False,
        True,
        (State.SWITCHED_PROTOCOL, State.SWITCHED_PROTOCOL),
    ),
    (
        "RFC 9112 9.6: a client that closed its half can still be answered",
        ((_C, _I.REQUEST), (_C, _I.END_OF_MESSAGE), (_C, _I.CONNECTION_CLOSED), (_S, _I.RESPONSE)),
        True,
        False,
        (State.CLOSED, State.SEND_BODY),
    ),
    (
        "RFC 9112 9.5: a server may close an idle connection; the client must then too",
        ((_S, _I.CONNECTION_CLOSED),),
        True,
        False,
        (State.MUST_CLOSE, State.CLOSED),
    ),
    (
        "RFC 9110 15.5.9: 408 may be sent before a request was read",
        ((_S, _I.RESPONSE), (_S, _I.END_OF_MESSAGE)),
        False,
        False,
        (State.IDLE, State.MUST_CLOSE),
    ),
)


@pytest.mark.parametrize("row", RFC_TEXT, ids=lambda row: row[0])
def test_what_the_text_says(
    row: tuple[str, tuple[tuple[Role, Input], ...], bool, bool, tuple[State, State]],
) -> None:
    """Rows written from the RFCs, not from another implementation."""
    _, happenings, keep_alive, proposed, expected = row
    states = {Role.CLIENT: State.IDLE, Role.SERVER: State.IDLE}
    for role, event in happenings:
        states[role] = State(next_state(role, states[role], event))
        if event is Input.REQUEST:
            states[Role.SERVER] = State(next_state(Role.SERVER, states[Role.SERVER], Input.PEER_REQUEST))
        client, server = settle(
            states[Role.CLIENT], states[Role.SERVER], keep_alive=keep_alive, switch_proposed=proposed
        )
        states = {Role.CLIENT: client, Role.SERVER: server}
    assert (states[Role.CLIENT], states[Role.SERVER]) == expected


@pytest.mark.parametrize(
    ("role", "state", "event"),
    [
        (Role.CLIENT, State.DONE, Input.REQUEST),  # RFC 9112 9.3.2: pipelining takes a new cycle here
        (Role.CLIENT, State.MUST_CLOSE, Input.REQUEST),  # RFC 9112 9.6: MUST NOT send another request
        (Role.CLIENT, State.SEND_BODY, Input.CONNECTION_CLOSED),  # RFC 9112 8: an incomplete message
        (Role.SERVER, State.SEND_BODY, Input.RESPONSE),  # RFC 9110 3.4: one final response per request
        (Role.SERVER, State.SEND_BODY, Input.INFORMATIONAL_RESPONSE),  # RFC 9110 15.2: before the final one
        (Role.SERVER, State.SEND_RESPONSE, Input.CONNECTION_CLOSED),  # RFC 9112 8: no response at all
        (Role.SERVER, State.SEND_RESPONSE, Input.DATA),
        (Role.SERVER, State.MUST_CLOSE, Input.RESPONSE),
    ],
)
def test_what_the_text_forbids(role: Role, state: State, event: Input) -> None:
    """A missing row is a protocol error."""
    assert next_state(role, state, event) == ILLEGAL


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("event", Input)
def test_error_absorbs(role: Role, event: Input) -> None:
    """Nothing leads out of ERROR."""
    assert next_state(role, State.ERROR, event) == ILLEGAL
