"""A server's connection, of either engine: cycles, persistence, expectations, switches, and content moved elsewhere."""

from __future__ import annotations

from math import inf

import pytest
from support.connections import CLOSING, EXPECTING, GET, HOST, OK, POST, UPGRADE, refusal, server, states

from highper_core import (
    END_OF_MESSAGE,
    NEED_DATA,
    PAUSED,
    Connection,
    ConnectionClosed,
    Data,
    EndOfMessage,
    Fault,
    InformationalResponse,
    Request,
    Response,
    State,
)
from highper_core.testing import read

__all__ = ["server"]


# Cycles and persistence


def test_requests_follow_each_other(server: Connection) -> None:
    """One cycle after the other on one connection; in between it rests."""
    for _ in range(3):
        events, fault = read(server, GET)
        assert (events, fault) == ([Request(method=b"GET", target=b"/", headers=[HOST]), END_OF_MESSAGE], Fault.NONE)
        assert states(server) == (State.SEND_RESPONSE, State.DONE)
        server.send_message(OK, b"ok")
        assert not server.is_resting
        server.data_to_send()
        server.start_next_cycle()
        assert server.is_resting


def test_paused_while_an_answer_is_owed(server: Connection) -> None:
    """Data is not needed before our side has spoken, and not before the next cycle either."""
    read(server, GET)
    assert server.next_event() is PAUSED
    server.send(OK)
    assert server.next_event() is PAUSED
    server.send(END_OF_MESSAGE)
    assert server.next_event() is PAUSED
    server.start_next_cycle()
    assert server.next_event() is NEED_DATA


@pytest.mark.parametrize("data", [CLOSING, b"GET / HTTP/1.0\r\n\r\n"])
def test_a_connection_that_does_not_persist(server: Connection, data: bytes) -> None:
    """It is answered with `connection: close`; what comes behind waits for the answer and is then refused."""
    read(server, data)
    assert states(server) == (State.SEND_RESPONSE, State.MUST_CLOSE)
    server.receive_data(GET)
    assert server.next_event() is PAUSED
    server.send_message(OK)
    assert server.data_to_send().endswith(b"connection: close\r\n\r\n")
    assert states(server) == (State.MUST_CLOSE, State.MUST_CLOSE)
    assert read(server) == ([], Fault.DATA_UNEXPECTED)
    assert refusal(server.start_next_cycle) is Fault.EVENT_ILLEGAL


def test_our_own_close(server: Connection) -> None:
    """`connection: close` in an answer ends the conversation; then data is needed to see the peer's end."""
    read(server, GET)
    server.send_message(Response(status_code=200, headers=[(b"Connection", b"close")]))
    assert server.data_to_send().count(b"lose") == 1
    assert server.next_event() is NEED_DATA
    assert read(server, end=True) == ([ConnectionClosed()], Fault.NONE)
    server.send(ConnectionClosed())
    assert states(server) == (State.CLOSED, State.CLOSED)


def test_half_close(server: Connection) -> None:
    """The end of input after a complete request: the answer is still sent."""
    assert read(server, GET, end=True)[0][-1] == ConnectionClosed()
    server.receive_data(b"")
    server.send_message(OK, b"ok")
    assert states(server) == (State.MUST_CLOSE, State.CLOSED)


def test_the_end_of_input_waits_for_its_turn(server: Connection) -> None:
    """Pipelined bytes come before it."""
    server.receive_data(GET + GET)
    server.receive_data(b"")
    assert read(server)[0][-1] == END_OF_MESSAGE
    assert server.trailing_data == (GET, True)
    server.send_message(OK)
    server.start_next_cycle()
    assert read(server)[0][-1] == ConnectionClosed()


def test_an_answer_before_the_content(server: Connection) -> None:
    """The rest of the content is still read; then both are done."""
    read(server, POST + b"ab")
    server.send_message(OK)
    assert states(server) == (State.DONE, State.SEND_BODY)
    assert read(server, b"cde") == ([Data(b"cde"), END_OF_MESSAGE], Fault.NONE)
    server.start_next_cycle()


def test_a_fault_in_the_middle_of_our_answer(server: Connection) -> None:
    """What was begun may be finished; nothing follows it."""
    read(server, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    server.send(OK)
    assert read(server, b"x\r\n") == ([], Fault.CHUNK_SIZE_INVALID)
    server.send(END_OF_MESSAGE)
    assert states(server) == (State.MUST_CLOSE, State.ERROR)


def test_an_answer_to_nothing(server: Connection) -> None:
    """A 408 before the request was read says close, and no request is taken after it."""
    read(server, b"GET / HT")
    server.send_message(Response(status_code=408))
    assert b"connection: close\r\n" in server.data_to_send()
    assert read(server, b"TP/1.1\r\nHost: a\r\n\r\n") == ([], Fault.DATA_UNEXPECTED)
    assert refusal(lambda: server.send_message(OK)) is Fault.EVENT_ILLEGAL


def test_a_refusal_in_the_words_of_an_old_protocol(server: Connection) -> None:
    """A version that was not understood is not assumed to know the chunked coding."""
    read(server, b"GET / HTTP/9.9\r\n")
    server.send(Response(status_code=505))
    server.send(Data(b"no"))
    server.send(END_OF_MESSAGE)
    assert server.data_to_send() == b"HTTP/1.1 505 HTTP Version Not Supported\r\nconnection: close\r\n\r\nno"


def test_chunked_both_ways(server: Connection) -> None:
    """Trailers arrive with the end, and leave with it."""
    coded = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n"
    assert read(server, coded)[0][1:] == [Data(b"a"), EndOfMessage([(b"x-sum", b"1")])]
    server.send(OK)
    server.send(Data(bytearray(b"ab")))
    server.send(Data(memoryview(b"cd")))
    server.send(EndOfMessage([(b"X-Sum", b"2")]))
    assert server.data_to_send().endswith(b"\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\nX-Sum: 2\r\n\r\n")


# Expect


def test_content_that_comes_unasked_ends_the_wait(server: Connection) -> None:
    """A client need not wait for ever (RFC 9110 section 10.1.1)."""
    read(server, EXPECTING)
    assert server.waiting_for_continue
    assert read(server, b"ab", now=7.0) == ([Data(b"ab")], Fault.NONE)
    assert not server.waiting_for_continue
    assert server.next_deadline() == 17.0  # the grace before the minimum rate is demanded
    server.send_message(OK)
    assert server.our_state is State.DONE


def test_other_interim_responses_do_not_end_the_wait(server: Connection) -> None:
    """Only 100 asks for the content."""
    read(server, EXPECTING)
    server.send(InformationalResponse(status_code=103))
    assert server.waiting_for_continue
    server.send(InformationalResponse(status_code=100))
    assert not server.waiting_for_continue
    assert server.next_deadline() == -inf


def test_a_final_answer_instead_of_100_closes(server: Connection) -> None:
    """Whether content or the next request follows cannot be told."""
    read(server, EXPECTING)
    server.send_message(Response(status_code=413))
    assert b"connection: close\r\n" in server.data_to_send()
    assert not server.waiting_for_continue
    assert states(server) == (State.MUST_CLOSE, State.SEND_BODY)


def test_no_interim_response_to_http_1_0(server: Connection) -> None:
    """RFC 9110 section 15.2."""
    read(server, b"POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert not server.waiting_for_continue
    assert refusal(lambda: server.send(InformationalResponse(status_code=100))) is Fault.EVENT_ILLEGAL


# Switches


def test_an_upgrade_before_the_content_is_read(server: Connection) -> None:
    """The switch takes effect for the client when its message is over."""
    upload = UPGRADE.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\n")
    read(server, upload)
    server.send(InformationalResponse(status_code=101, headers=[(b"connection", b"upgrade"), (b"upgrade", b"toy")]))
    assert states(server) == (State.SWITCHED_PROTOCOL, State.SEND_BODY)
    assert read(server, b"abraw") == ([Data(b"ab"), END_OF_MESSAGE], Fault.NONE)
    assert states(server) == (State.SWITCHED_PROTOCOL, State.SWITCHED_PROTOCOL)
    assert (server.next_event(), server.trailing_data) == (PAUSED, (b"raw", False))


@pytest.mark.parametrize("data", [UPGRADE, b"CONNECT a:1 HTTP/1.0\r\n\r\n"])
def test_a_declined_switch(server: Connection, data: bytes) -> None:
    """The conversation goes on, or closes where it would have closed anyway."""
    read(server, data)
    assert states(server) == (State.SEND_RESPONSE, State.MIGHT_SWITCH_PROTOCOL)
    server.send_message(Response(status_code=404))
    closes = data is not UPGRADE
    assert states(server) == ((State.MUST_CLOSE,) * 2 if closes else (State.DONE,) * 2)


def test_a_tunnel_is_not_a_message(server: Connection) -> None:
    """An accepted CONNECT has no content and no end, so it cannot be sent whole."""
    read(server, b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n")
    assert refusal(lambda: server.send_message(OK)) is Fault.EVENT_ILLEGAL
    server.send(OK)
    assert server.data_to_send() == b"HTTP/1.1 200 OK\r\n\r\n"
    assert refusal(lambda: server.send(END_OF_MESSAGE)) is Fault.EVENT_ILLEGAL


# Deadlines of a server


def test_the_next_head_is_timed_when_it_already_waits(server: Connection) -> None:
    """Pipelined bytes start the clock of the head, not that of the idle connection."""
    read(server, GET + b"GET /", now=5.0)
    assert server.next_deadline() == inf
    server.send_message(OK)
    server.start_next_cycle()
    assert (server.next_deadline(), server.expired(60.0), server.next_deadline()) == (-inf, Fault.NONE, 70.0)


def test_a_slow_body(server: Connection) -> None:
    """Below the minimum rate after its grace, whatever the silence clock says."""
    read(server, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\nab", now=0.0)
    for second in range(1, 10):
        read(server, b"x", now=float(second))
    assert (server.next_deadline(), server.expired(10.0)) == (10.0, Fault.CONTENT_TOO_SLOW)


# Content that the caller moves


def test_content_received_elsewhere(server: Connection) -> None:
    """More than a block of it, and nothing at all."""
    size = 200_000
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
    read(server, head, now=1.0)
    assert server.content_remaining == size
    server.content_received(0, 2.0)
    server.content_received(size - 5, 3.0)
    assert (server.content_remaining, server.next_deadline()) == (5, 33.0)
    assert read(server, b"hello", GET)[0] == [Data(b"hello"), END_OF_MESSAGE]
    assert server.content_remaining == 0
    assert server.unparsed == len(GET)


def test_content_received_where_there_is_none(server: Connection) -> None:
    """Before a head nothing can be accounted for, and nothing changes."""
    assert server.content_remaining == 0
    server.content_received(0)
    assert refusal(lambda: server.content_received(1)) is Fault.EVENT_ILLEGAL
    assert refusal(lambda: server.content_received(-1)) is Fault.EVENT_ILLEGAL
    read(server, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert server.content_remaining == -1
    assert refusal(lambda: server.content_received(1)) is Fault.EVENT_ILLEGAL


def test_content_received_before_the_buffered_part_was_read(server: Connection) -> None:
    """What is buffered comes out first; the count holds."""
    server.receive_data(POST + b"ab")
    server.next_event()
    assert server.content_remaining == 3
    server.content_received(3)
    assert read(server)[0] == [Data(b"ab"), END_OF_MESSAGE]
