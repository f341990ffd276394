"""One connection that lives through a case: it answers what it can, and keeps a record.

A SERVER answers each request as soon as it is complete; it accepts a proposed switch where the case says so. A CLIENT
asks again as soon as its answer is complete. After a fault a SERVER writes the refusal.
"""

from __future__ import annotations

from dataclasses import dataclass

from conformance.cuts import BEHIND, behind
from conformance.load_cases import Case

from highper_core import (
    NEED_DATA,
    PAUSED,
    ConnectionClosed,
    Data,
    EndOfMessage,
    Event,
    Fault,
    HttpConnection,
    InformationalResponse,
    RemoteProtocolError,
    Request,
    Response,
    Role,
    State,
)
from highper_core.testing import merged

__all__ = ["Conversation", "Record", "check", "converse", "live"]

_AGAIN = Request(method=b"GET", target=b"/behind", headers=[(b"host", b"a")])
_SWITCH = InformationalResponse(status_code=101, headers=[(b"connection", b"upgrade"), (b"upgrade", b"toy")])


@dataclass(frozen=True, slots=True)
class Record:
    """What a connection made of a case. Adjacent content is joined; `trailing` is None after a fault."""

    events: tuple[Event, ...]
    fault: Fault
    ours: State
    theirs: State
    written: bytes
    trailing: bytes | None


class Conversation:
    """A connection and what it has shown so far."""

    def __init__(self, case: Case, engine: str) -> None:
        self.case = case
        self.connection = HttpConnection(case.role, engine, case.limits)
        self.events: list[Event] = []
        self.fault = Fault.NONE
        self.written: list[bytes] = []
        self.method = b""
        self.length = 0
        self.has_asked_again = False
        if case.asked is not None:
            self.connection.send_message(case.asked)
            self.flush()

    def take(self, data: bytes) -> bool:
        """Feed bytes and pull events; False once nothing more can come."""
        self.connection.receive_data(data)
        try:
            while (event := self.connection.next_event()) is not NEED_DATA and event is not PAUSED:
                assert isinstance(event, Event), event
                self.events.append(event)
                self.note(event)
        except RemoteProtocolError as error:
            self.fault = error.fault
            self.refuse()
            return False
        return True

    def note(self, event: Event) -> None:
        """Act on an event as an application would."""
        if isinstance(event, Request):
            self.method = event.method
            self.length = 0
        elif isinstance(event, Data):
            self.length += len(event.data)
        elif isinstance(event, EndOfMessage):
            if self.case.role is Role.SERVER:
                self.answer()
            elif self.connection.our_state is State.DONE and self.connection.their_state is State.DONE:
                self.ask_again()

    def answer(self) -> None:
        """Answer a complete request with the length of its content, or accept the switch it proposed."""
        connection = self.connection
        event = connection.next_event()
        if event is not PAUSED:  # nothing is awaited while an answer is owed; that the peer ended its side may be told
            assert isinstance(event, ConnectionClosed), event
            self.events.append(event)
        if self.case.switch and connection.their_state is State.MIGHT_SWITCH_PROTOCOL:
            connection.send(Response(status_code=200) if self.method == b"CONNECT" else _SWITCH)
        else:
            status = 405 if self.method == b"CONNECT" else 200
            connection.send_message(Response(status_code=status), b"%d" % self.length)
        self.flush()
        if connection.our_state is State.DONE and connection.their_state is State.DONE:
            connection.start_next_cycle()

    def ask_again(self) -> None:
        """Begin the next exchange as a CLIENT, once."""
        if self.has_asked_again:
            return
        self.has_asked_again = True
        self.connection.start_next_cycle()
        if not self.case.end_of_input:
            self.connection.send_message(_AGAIN)
            self.flush()

    def refuse(self) -> None:
        """Write the refusal, as a SERVER that has not begun to answer."""
        assert self.connection.their_state is State.ERROR
        if self.case.role is Role.SERVER and self.fault.status_hint:
            self.connection.send_message(Response(status_code=self.fault.status_hint), b"refused")
            self.flush()

    def flush(self) -> None:
        """Collect what was framed."""
        self.written.append(self.connection.data_to_send())

    def record(self) -> Record:
        """Return what happened."""
        connection = self.connection
        return Record(
            tuple(merged(self.events)),
            self.fault,
            connection.our_state,
            connection.their_state,
            b"".join(self.written),
            None if self.fault else connection.trailing_data[0],
        )


def live(case: Case, engine: str, pieces: list[bytes]) -> Conversation:
    """Let a fresh connection live through `case`, whose bytes arrive in `pieces`."""
    conversation = Conversation(case, engine)
    for piece in [*pieces, b""] if case.end_of_input else pieces:
        if not conversation.take(piece):
            break
    return conversation


def converse(case: Case, engine: str, pieces: list[bytes]) -> Record:
    """Return the record of such a life."""
    return live(case, engine, pieces).record()


def _expected_events(case: Case) -> tuple[Event, ...]:
    return (*case.events, *BEHIND[case.role][1]) if case.behind == "answered" else case.events


def check(case: Case, record: Record) -> None:
    """Judge a record by what its case promises."""
    assert record.events == _expected_events(case)
    is_over = case.behind == "unparsed" and not case.fault
    assert record.fault is (Fault.DATA_UNEXPECTED if is_over else case.fault)
    states = (record.ours, record.theirs)
    if record.fault:
        assert record.theirs is State.ERROR
    elif case.behind == "handed over":
        assert states == (State.SWITCHED_PROTOCOL, State.SWITCHED_PROTOCOL)
        assert record.trailing == behind(case)
    elif case.behind == "answered":
        assert set(states) == {State.IDLE if case.role is Role.SERVER else State.DONE}
        assert record.trailing == b""
