"""Every case through the core alone: both engines, every way of cutting, a second message behind.

One test is one case on one engine; the cuts are inside. Events, fault, states, written bytes and leftover must be
those of the case, and the same for every cut and for the other engine.
"""

from __future__ import annotations

import pytest
from conformance.conversation import Conversation, Record, check, converse, live
from conformance.cuts import bytes_of, cuts
from conformance.load_cases import Case, load

from highper_core import Fault, HttpConnection, Request, Role, available

ENGINES = [name for name, reason in available().items() if reason is None]
CASES = load()
TIMED = [case for case in CASES if case.silence is not None]
READ = [case for case in CASES if case.silence is None]
WAITING = [case for case in CASES if case.waits is not None]


@pytest.mark.parametrize("case", READ, ids=lambda case: case.id)
def test_case(case: Case, engine_name: str) -> None:
    """What the case promises holds however its bytes are cut."""
    first: Record | None = None
    for pieces in cuts(bytes_of(case)):
        record = converse(case, engine_name, pieces)
        if first is None:
            check(case, record)
            first = record
        assert record == first, pieces
    assert first is not None


@pytest.mark.parametrize("case", [case for case in READ if case.end_of_input], ids=lambda case: case.id)
def test_end_of_input_at_once(case: Case, engine_name: str) -> None:
    """The end of input may have come before anything was looked at."""
    conversation = Conversation(case, engine_name)
    if case.input:
        conversation.connection.receive_data(case.input)
    conversation.take(b"")
    check(case, conversation.record())


@pytest.mark.parametrize("case", READ, ids=lambda case: case.id)
def test_engines_agree(case: Case) -> None:
    """Engines agree on everything that can be seen, written bytes and leftover included."""
    data = bytes_of(case)
    records = {name: converse(case, name, [data] if data else []) for name in ENGINES}
    assert len({repr(record) for record in records.values()}) == 1, records


@pytest.mark.parametrize("case", [case for case in CASES if case.role is Role.SERVER], ids=lambda case: case.id)
def test_status(case: Case) -> None:
    """A fault is answered with the status that the case names, or without a word."""
    assert case.fault.status_hint == case.status


@pytest.mark.parametrize("case", TIMED, ids=lambda case: case.id)
def test_silence(case: Case, engine_name: str) -> None:
    """Silence ends a phase when its time has passed, and no second earlier."""
    assert case.silence is not None
    for pieces in cuts(case.input):
        conversation = live(case, engine_name, pieces)
        assert conversation.record().events == case.events
        connection = conversation.connection
        assert [connection.expired(now) for now in (0.0, case.silence - 1)] == [Fault.NONE, Fault.NONE]
        assert connection.expired(case.silence) is case.fault


@pytest.mark.parametrize("case", WAITING, ids=lambda case: case.id)
def test_waiting_for_continue(case: Case, engine_name: str) -> None:
    """Once its head has come and its content not, the client waits for a 100, or does not."""
    connection = HttpConnection(case.role, engine_name, case.limits)
    head, separator, _ = case.input.partition(b"\r\n\r\n")
    connection.receive_data(head + separator)
    assert isinstance(connection.next_event(), Request)
    assert connection.waiting_for_continue is case.waits
