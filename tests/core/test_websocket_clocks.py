"""A WebSocket by itself, of either engine: pings to a silent peer, idleness, and a close that must be answered."""

from __future__ import annotations

import itertools
from math import inf

import pytest
from support.lone_websocket import client, from_client, pull, server

from highper_core import Fault, Limits
from highper_core.closing import WebSocketState
from highper_core.engines import available
from highper_core.events import CloseConnection
from highper_core.frames import Opcode
from highper_core.keepalive import Due, KeepAlive


def test_a_silent_peer_is_pinged_then_given_up(engine_name: str) -> None:
    """After 20 seconds without a byte a Ping, after 20 more the Close of an endpoint that saw nobody."""
    socket = server(engine_name)
    assert socket.next_deadline() == -inf
    assert socket.expired(100.0) is Fault.NONE
    assert (socket.next_deadline(), socket.expired(119.0), socket.data_to_send()) == (120.0, Fault.NONE, b"")
    assert (socket.expired(120.0), socket.data_to_send()) == (Fault.NONE, b"\x89\x04\0\0\0\1")
    assert (socket.next_deadline(), socket.expired(139.0)) == (140.0, Fault.NONE)
    assert (socket.expired(140.0), socket.must_close, socket.next_deadline()) == (Fault.PONG_TIMEOUT, True, inf)
    assert socket.data_to_send() == b"\x88\x02\x03\xf3"


def test_a_pong_tells_the_latency(engine_name: str) -> None:
    """Of our own Ping alone; any byte shows that the peer is there."""
    socket = server(engine_name)
    assert socket.latency < 0
    pull(socket, from_client(Opcode.TEXT), 10.0)
    assert socket.next_deadline() == 30.0
    socket.expired(30.0)
    pull(socket, from_client(Opcode.PONG, b"\0\0\0\2"), 30.1)
    assert socket.latency < 0
    assert socket.next_deadline() == 50.1
    pull(socket, from_client(Opcode.PONG, b"\0\0\0\1"), 30.25)
    assert socket.latency == 0.25
    assert socket.next_deadline() == 50.25
    pull(socket, from_client(Opcode.PONG, b"\0\0\0\1"), 31.0)
    assert socket.latency == 0.25


def test_while_we_do_not_read_the_peer_is_not_silent(engine_name: str) -> None:
    """Our own pause is left out, also of a Ping that is under way."""
    socket = server(engine_name, websocket_idle_timeout=50)
    socket.expired(0.0)
    socket.pause_reading(10.0)
    socket.pause_reading(11.0)
    assert (socket.next_deadline(), socket.expired(1000.0)) == (inf, Fault.NONE)
    socket.resume_reading(1000.0)
    socket.resume_reading(1001.0)
    assert socket.next_deadline() == 1010.0
    assert socket.expired(1010.0) is Fault.NONE
    socket.pause_reading(1015.0)
    socket.resume_reading(1115.0)
    assert socket.next_deadline() == 1130.0


def test_an_idle_socket_is_closed_politely(engine_name: str) -> None:
    """Messages keep it open, either way; Pings do not."""
    socket = server(engine_name, websocket_idle_timeout=60, websocket_ping_interval=None)
    socket.expired(0.0)
    assert socket.next_deadline() == 60.0
    pull(socket, from_client(Opcode.PING), 50.0)
    assert socket.next_deadline() == 60.0
    pull(socket, from_client(Opcode.TEXT), 55.0)
    socket.data_to_send()
    assert socket.next_deadline() == 115.0
    socket.send_message("x")
    socket.data_to_send()
    assert (socket.expired(115.0), socket.next_deadline()) == (Fault.NONE, 175.0)
    assert (socket.expired(175.0), socket.state.name, socket.must_close) == (Fault.IDLE_TIMEOUT, "CLOSING", False)
    assert socket.data_to_send() == b"\x88\x02\x03\xe9"
    assert (socket.next_deadline(), socket.expired(176.0), socket.next_deadline()) == (-inf, Fault.NONE, 186.0)
    assert pull(socket, from_client(Opcode.CLOSE, b"\x03\xe9"), 180.0) == [CloseConnection(1001)]
    assert (socket.must_close, socket.next_deadline()) == (True, inf)


def test_a_close_must_be_answered_in_time(engine_name: str) -> None:
    """Ten seconds, whatever else arrives; a client's server has as long again to close."""
    socket = client(engine_name)
    socket.send(CloseConnection())
    assert socket.data_to_send() == b"\x88\x82abcd\x62\x8a"
    assert socket.next_deadline() == -inf
    pull(socket, b"\x81\x01x", 5.0)
    assert (socket.next_deadline(), socket.expired(14.0)) == (15.0, Fault.NONE)
    assert pull(socket, b"\x88\x00", 14.5) == [CloseConnection(1005)]
    assert socket.next_deadline() == -inf
    assert (socket.expired(15.0), socket.next_deadline()) == (Fault.NONE, 25.0)
    assert (socket.expired(25.0), socket.must_close, socket.state.name) == (Fault.CLOSE_TIMEOUT, True, "FAILED")
    assert socket.data_to_send() == b""


def test_the_clocks_of_both_engines_agree() -> None:
    """Through every sequence of five happenings at uneven times."""
    if available()["fast"] is not None:
        pytest.skip("the fast engine is not built")
    bounds = {"websocket_ping_interval": 3, "websocket_ping_timeout": 2, "websocket_idle_timeout": 7}
    pong = from_client(Opcode.PONG, b"\0\0\0\1")
    for what in itertools.product(range(7), repeat=5):
        pair = [server(name, **bounds) for name in ("fast", "portable")]
        seen: list[list[object]] = [[], []]
        for step, act in enumerate(what):
            now = step * 2.25
            for socket, shown in zip(pair, seen, strict=True):
                if act == 0:
                    shown.append(socket.expired(now))
                elif act == 1:
                    socket.pause_reading(now)
                elif act == 2:
                    socket.resume_reading(now)
                elif act == 3 and socket.state is WebSocketState.OPEN:
                    socket.send_message("x")
                elif act == 4 and socket.state is WebSocketState.OPEN:
                    socket.send(CloseConnection())
                elif act >= 5 and socket.state is not WebSocketState.FAILED:
                    pull(socket, pong if act == 5 else from_client(Opcode.TEXT), now)
                shown += [socket.next_deadline(), socket.latency, socket.state, socket.data_to_send()]
        assert seen[0] == seen[1], what


def test_a_clock_that_has_stopped_is_never_due() -> None:
    """Nor does a Pong that was not asked for tell a latency."""
    clock = KeepAlive(Limits())
    clock.answered(5.0)
    assert clock.latency < 0
    clock.stop()
    assert (clock.next_deadline(), clock.due(1e9)) == (inf, Due.NOTHING)
