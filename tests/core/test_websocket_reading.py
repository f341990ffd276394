"""A WebSocket by itself, of either engine: messages in pieces, bounds, floods, rest, and a message framed for many."""

from __future__ import annotations

import gc
import sys
import tracemalloc

import pytest
from support.lone_websocket import KEEPING, client, from_client, in_states, pull, server

from highper_core import Fault, Limits, LocalProtocolError, Role
from highper_core.engines import WebSocketConnection, available
from highper_core.errors import RemoteProtocolError
from highper_core.events import BytesFragment, CloseConnection, TextFragment
from highper_core.frames import Opcode
from highper_core.permessage_deflate import Deflate, DeflateSettings, Parameters
from highper_core.websocket import frame_message

# Reading


def test_gathering_may_begin_and_end_anywhere(engine_name: str) -> None:
    """Turned off, what was gathered is shown, whole characters of it; turned on, the rest comes as one."""
    euro = "€".encode()
    socket = server(engine_name)
    assert pull(socket, from_client(Opcode.TEXT, b"a" + euro[:1], finished=False)) == []
    socket.gather = False
    assert pull(socket) == [TextFragment("a", False)]
    assert pull(socket, from_client(Opcode.CONTINUATION, euro[1:2], finished=False)) == []
    assert pull(socket, from_client(Opcode.CONTINUATION, euro[2:] + euro[:2], finished=False)) == [
        TextFragment("€", False)
    ]
    socket.gather = True
    assert pull(socket, from_client(Opcode.CONTINUATION, euro[2:] + b"b", finished=False)) == []
    assert pull(socket, from_client(Opcode.CONTINUATION, b"c")) == [TextFragment("€bc")]
    assert pull(socket, from_client(Opcode.BINARY, b"\xe2", finished=False)) == []
    socket.gather = False
    assert pull(socket, from_client(Opcode.CONTINUATION, b"x")) == [BytesFragment(b"\xe2", False), BytesFragment(b"x")]
    socket.gather = True
    assert pull(socket, from_client(Opcode.TEXT, euro[:2], finished=False)) == []
    socket.gather = False
    assert pull(socket) == []
    socket.gather = True
    assert pull(socket, from_client(Opcode.CONTINUATION, euro[2:])) == [TextFragment("€")]
    assert socket.is_resting


def test_memory_follows_what_has_come_not_what_was_announced(engine_name: str) -> None:
    """A header that announces a gigabyte makes nobody reserve it."""
    sockets = [server(engine_name, websocket_message=None) for _ in range(64)]
    for socket in sockets:
        pull(socket, from_client(Opcode.TEXT, b"x"))
    tracemalloc.start()
    try:
        for socket in sockets:
            pull(socket, b"\x82\xff\0\0\0\0\x40\0\0\0abcd" + b"x" * 100)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 64 * 4096


@pytest.mark.parametrize("gather", [True, False])
def test_what_is_inflated_is_held_to_the_bound(engine_name: str, gather: bool) -> None:
    """One byte more than allowed is one too many; without a bound, any number comes, in pieces."""
    sent = server(engine_name, KEEPING)
    sent.send_message(b"a" * 200_000)
    frame = sent.data_to_send()
    for bound, fault in ((199_999, Fault.MESSAGE_TOO_LARGE), (200_000, Fault.NONE), (None, Fault.NONE)):
        socket = client(engine_name, KEEPING, websocket_message=bound)
        socket.gather = gather
        if fault:
            with pytest.raises(RemoteProtocolError) as caught:
                pull(socket, frame)
            assert caught.value.fault is fault
        else:
            events = pull(socket, frame)
            assert b"".join(bytes(event.data) for event in events if isinstance(event, BytesFragment)) == b"a" * 200_000
            assert (len(events) == 1) is gather


@pytest.mark.parametrize(
    ("bound", "message"),
    [
        pytest.param(4, "82 07 f2 48 cd c9 c9 07 18", id="near"),
        pytest.param(
            96, "82 19 12 12 02 82 a9 ff 69 01 ff 31 31 31 77 31 00 00 00 00 00 00 30 ff ff 31 31", id="found"
        ),
    ],
)
def test_one_byte_too_many_is_told_however_close_a_fault_follows(engine_name: str, bound: int, message: str) -> None:
    """zlib drops what it inflated in the call that fails; still it is not the cut that decides which fault is told."""
    frame = bytes.fromhex(message)
    compressed = bytes((frame[0] | 0x40,)) + frame[1:]
    for cut in range(len(frame)):
        socket = client(engine_name, KEEPING, websocket_message=bound)
        with pytest.raises(RemoteProtocolError) as caught:
            _ = [pull(socket, piece) for piece in (compressed[:cut], compressed[cut:])]
        assert caught.value.fault is Fault.MESSAGE_TOO_LARGE


def test_a_flood_of_pings_that_nobody_hears_is_answered_once_at_the_end(engine_name: str) -> None:
    """Pongs that are not fetched are bounded; above the bound the newest Ping alone is answered."""
    socket = server(engine_name, websocket_pongs=100)
    for number in range(1000):
        pull(socket, from_client(Opcode.PING, b"%04d" % number))
    written = socket.data_to_send()
    assert written == b"".join(b"\x8a\x04%04d" % number for number in (*range(17), 999))
    pull(socket, from_client(Opcode.PING, b"next"))
    assert socket.data_to_send() == b"\x8a\x04next"
    assert socket.is_resting


def test_a_pong_that_waits_goes_before_our_close(engine_name: str) -> None:
    """It is still owed when the closing handshake begins."""
    socket = server(engine_name, websocket_pongs=0)
    pull(socket, from_client(Opcode.PING, b"a") + from_client(Opcode.PING, b"b"))
    assert not socket.is_resting
    socket.send(CloseConnection(1000))
    assert socket.data_to_send() == b"\x8a\x01b\x88\x02\x03\xe8"


# Rest


def test_rest(engine_name: str) -> None:
    """A socket rests when nothing is buffered, owed or begun, and only then."""
    socket = server(engine_name)
    assert socket.is_resting
    for data in (b"\x81", from_client(Opcode.TEXT, b"abc")[:-1], from_client(Opcode.TEXT, b"a", finished=False)):
        unrested = server(engine_name)
        pull(unrested, data)
        assert not unrested.is_resting
    socket.send_message("x")
    assert not socket.is_resting
    socket.data_to_send()
    assert socket.is_resting
    socket.send(TextFragment("x", False))
    socket.data_to_send()
    assert not socket.is_resting
    socket.send(TextFragment("x"))
    socket.data_to_send()
    pull(socket, from_client(Opcode.TEXT, b"abc") + from_client(Opcode.PING))
    assert not socket.is_resting
    socket.data_to_send()
    assert socket.is_resting
    assert not any(other.is_resting for state, other in in_states(engine_name) if state != "OPEN")


def test_a_compiled_socket_at_rest_is_a_small_record() -> None:
    """After messages either way, in fragments and whole, nothing hangs on it."""
    if available()["fast"] is not None:
        pytest.skip("the fast engine is not built")
    socket = server("fast")
    pull(socket, from_client(Opcode.TEXT, b"x" * 70000, finished=False) + from_client(Opcode.CONTINUATION, b"y"), 1.0)
    socket.send_message("z" * 70000)
    socket.data_to_send()
    assert socket.is_resting
    assert sys.getsizeof(socket) <= 288
    shared = (Limits, Role, type(None), type)
    held = [held for held in gc.get_referents(socket) if not isinstance(held, shared)]
    assert [type(held).__name__ for held in held] == ["WebSocketBounds"]  # one for all sockets of the same limits


# One message for many


@pytest.mark.parametrize("message", ["hällo " * 100, b"\0\xff" * 300, "", b""])
def test_a_message_framed_once(engine_name: str, message: str | bytes) -> None:
    """What is framed for many is read by each, compressed or not, before, between and behind messages of its own."""
    for settings in (None, DeflateSettings(threshold=0), KEEPING):
        ours, theirs = server(engine_name, settings), client(engine_name, settings)
        plain, packed = frame_message(message), frame_message(message, window_bits=9)
        for _ in range(2):
            ours.send_message("before " * 50)
            ours.send_framed(plain)
            if settings is not None:
                ours.send_framed(packed, compressed=True)
            ours.send_message("before " * 50)
        shown = pull(theirs, ours.data_to_send())
        own, framed = (
            TextFragment("before " * 50),
            TextFragment(message) if isinstance(message, str) else BytesFragment(message),
        )
        once = [own, framed, own] if settings is None else [own, framed, framed, own]
        assert shown == once * 2


def test_who_may_send_framed_messages(engine_name: str) -> None:
    """A server that is open; compressed only where that was agreed on."""
    with pytest.raises(LocalProtocolError):
        client(engine_name).send_framed(frame_message("x"))
    with pytest.raises(LocalProtocolError):
        server(engine_name).send_framed(frame_message("x", window_bits=15), compressed=True)
    closing = server(engine_name)
    closing.send(CloseConnection())
    with pytest.raises(LocalProtocolError):
        closing.send_framed(frame_message("x"))


def test_a_window_too_small_for_zlib_is_not_used(engine_name: str) -> None:
    """Held to a window of 256 bytes, a side sends its messages as they are, and still reads what is compressed."""
    settings = DeflateSettings(threshold=0)
    agreed = Parameters(True, True, 8, 15)
    socket = WebSocketConnection(Role.SERVER, engine_name, deflate=Deflate(Role.SERVER, agreed, settings))
    socket.send_message("x" * 300)
    assert socket.data_to_send() == b"\x81\x7e\x01\x2c" + b"x" * 300
