"""A connection of either engine refuses what may not be done, and nothing is left of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.connections import GET, HOST, OK, ONE_BYTE, client, refusal, server, states

from highper_core import (
    END_OF_MESSAGE,
    Connection,
    ConnectionClosed,
    Data,
    EndOfMessage,
    Event,
    Fault,
    InformationalResponse,
    Limits,
    Request,
    Response,
    Role,
    State,
)
from highper_core.testing import read

__all__ = ["client", "server"]


def test_the_bare_class_does_nothing() -> None:
    """An engine supplies every method; what it forgets says so."""
    bare = Connection(Role.SERVER, Limits())
    for name in ("our_state", "their_state", "is_resting", "unparsed", "trailing_data", "waiting_for_continue"):
        with pytest.raises(NotImplementedError):
            getattr(bare, name)
    calls: list[Callable[[], object]] = [
        lambda: bare.content_remaining,
        lambda: bare.receive_data(b""),
        bare.next_event,
        lambda: bare.send(END_OF_MESSAGE),
        lambda: bare.send_message(OK),
        lambda: bare.send_file(0),
        bare.data_to_send,
        bare.buffers_to_send,
        bare.start_next_cycle,
        bare.reset,
        lambda: bare.content_received(0),
        bare.next_deadline,
        lambda: bare.expired(0.0),
        lambda: bare.pause_reading(0.0),
        lambda: bare.resume_reading(0.0),
    ]
    for call in calls:
        with pytest.raises(NotImplementedError):
            call()


@pytest.mark.parametrize(
    ("events", "fault"),
    [
        ([END_OF_MESSAGE], Fault.EVENT_ILLEGAL),
        ([ConnectionClosed()], Fault.EVENT_ILLEGAL),
        ([Request(method=b"GET", target=b"/", headers=[HOST])], Fault.EVENT_ILLEGAL),
        ([OK, OK], Fault.EVENT_ILLEGAL),
        ([OK, InformationalResponse(status_code=103)], Fault.EVENT_ILLEGAL),
        ([OK, END_OF_MESSAGE, Data(b"x")], Fault.EVENT_ILLEGAL),
        ([Event()], Fault.EVENT_ILLEGAL),
        ([Response(status_code=204), Data(b"x")], Fault.CONTENT_FORBIDDEN),
        ([ONE_BYTE, Data(b"xy")], Fault.CONTENT_LENGTH_MISMATCH),
        ([ONE_BYTE, END_OF_MESSAGE], Fault.CONTENT_LENGTH_MISMATCH),
        ([OK, EndOfMessage([(b"host", b"x")])], Fault.TRAILER_FORBIDDEN),
        ([ONE_BYTE, Data(b"x"), EndOfMessage([(b"x", b"y")])], Fault.EVENT_ILLEGAL),
    ],
)
def test_illegal_events(server: Connection, events: list[Event], fault: Fault) -> None:
    """The last of them is refused, without a trace."""
    read(server, GET)
    for event in events[:-1]:
        server.send(event)
    server.data_to_send()
    before = states(server)
    assert refusal(lambda: server.send(events[-1])) is fault
    assert (states(server), server.data_to_send()) == (before, b"")


def test_a_server_cannot_speak_first(server: Connection) -> None:
    """No interim response, no request, no file before anything was asked."""
    assert refusal(lambda: server.send(InformationalResponse(status_code=103))) is Fault.EVENT_ILLEGAL
    assert refusal(lambda: server.send_file(1)) is Fault.EVENT_ILLEGAL


def test_a_client_cannot_answer(client: Connection) -> None:
    """Each role has its own events."""
    assert refusal(lambda: client.send_message(OK)) is Fault.EVENT_ILLEGAL
    assert refusal(lambda: client.send(Request(method=b"GET", target=b"/", headers=[HOST]))) is Fault.EVENT_ILLEGAL


def test_files_need_a_known_length(server: Connection) -> None:
    """A chunked body cannot go by sendfile."""
    read(server, GET)
    server.send(OK)
    assert refusal(lambda: server.send_file(1)) is Fault.EVENT_ILLEGAL


def test_a_message_refused_half_way_leaves_nothing(server: Connection) -> None:
    """Head, content and end are sent together or not at all."""
    read(server, GET)
    short = Response(status_code=200, headers=[(b"content-length", b"9")])
    assert refusal(lambda: server.send_message(short, b"ok")) is Fault.CONTENT_LENGTH_MISMATCH
    assert refusal(lambda: server.send_message(Response(status_code=204), b"ok")) is Fault.CONTENT_FORBIDDEN
    assert (server.data_to_send(), server.our_state) == (b"", State.SEND_RESPONSE)
    server.send_message(OK, b"ok")
    assert server.buffers_to_send()
    assert server.buffers_to_send() == []


def test_bytes_after_a_fault_are_dropped(server: Connection) -> None:
    """A refused peer costs no memory."""
    read(server, b"bad\r\n")
    held = server.unparsed
    server.receive_data(b"x" * 10_000)
    assert server.unparsed == held
    assert read(server) == ([], Fault.REQUEST_LINE_INVALID)


@pytest.mark.parametrize("engine", ["portable"])
def test_h11_is_not_asked_twice(engine: str) -> None:
    """A half of the portable engine that cannot read says so."""
    from highper_core.engines.portable.speaker import Speaker

    speaker = Speaker(Role.CLIENT, Limits())
    with pytest.raises(NotImplementedError):
        speaker.send_message(Request(method=b"GET", target=b"/", headers=[HOST]))
