"""Every WebSocket case: both engines, every way of cutting, messages gathered and as they come.

One test is one case on one engine; the cuts are inside. A fault is due with the last octet of its input, and not one
octet earlier: that is what failing fast means.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from conformance.cuts import cuts
from conformance.load_websocket import WebSocketCase, load_websocket
from conformance.websocket_conversation import live_through

from highper_core import Fault
from highper_core.events import ConnectionClosed

CASES = load_websocket()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case(case: WebSocketCase, engine_name: str) -> None:
    """What the case promises holds however its bytes are cut, and however its messages are shown."""
    for gather in (True, False):
        for pieces in cuts(case.input):
            record = live_through(case, engine_name, pieces, gather=gather)
            assert record.events == case.events, pieces
            assert (record.fault, record.state) == (case.fault, case.state), pieces
            assert record.written == case.written, pieces


REFUSED = [case for case in CASES if case.fault and not case.end_of_input]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.id)
def test_a_fault_is_due_with_the_last_octet(case: WebSocketCase, engine_name: str) -> None:
    """The octets before it are no reason to fail."""
    for gather in (True, False):
        record = live_through(case, engine_name, [case.input[:-1]] if len(case.input) > 1 else [], gather=gather)
        assert (record.fault, record.state) == (Fault.NONE, "CLOSING" if case.send else "OPEN")


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.id)
def test_nothing_is_read_behind_a_fault(case: WebSocketCase, engine_name: str) -> None:
    """What follows changes nothing, and the fault stays."""
    record = live_through(case, engine_name, [case.input + b"\x81\x80\0\0\0\0\x88\x80\0\0\0\0", b"\x89\x80\0\0\0\0"])
    assert record == live_through(case, engine_name, [case.input])


@pytest.mark.parametrize("case", [case for case in CASES if case.state == "CLOSED"], ids=lambda case: case.id)
def test_nothing_is_read_behind_the_close(case: WebSocketCase, engine_name: str) -> None:
    """What follows the peer's Close is dropped, whatever it is."""
    if not case.end_of_input:
        record = live_through(case, engine_name, [case.input + b"\xff\xff\xff"])
        assert (record.events, record.fault, record.state) == (case.events, Fault.NONE, "CLOSED")


@pytest.mark.parametrize("case", [case for case in CASES if case.state == "OPEN"], ids=lambda case: case.id)
def test_input_that_ends_without_a_close_is_a_fault(case: WebSocketCase, engine_name: str) -> None:
    """Whatever came before; and no Close is written to a peer that hears nothing."""
    record = live_through(replace(case, end_of_input=True), engine_name, [case.input])
    assert (record.fault, record.state, record.must_close) == (Fault.CLOSE_MISSING, "FAILED", True)
    assert record.written == case.written
    assert ConnectionClosed() not in record.events
