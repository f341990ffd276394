"""A WebSocket by itself: what may be sent when, its clocks, answers to floods, rest, framing for many. Both engines."""

from __future__ import annotations

import gc
import inspect
import itertools
import sys
import tracemalloc
from collections.abc import Iterator
from math import inf

import pytest
from zope.interface.interface import Method
from zope.interface.verify import verifyObject

from highper_core import NEED_DATA, EngineUnavailable, Event, Fault, Limits, LocalProtocolError, Role
from highper_core.closing import ROWS, TABLE, ClosingInput, WebSocketState, next_closing_state
from highper_core.engines import WebSocketConnection, available, engine
from highper_core.errors import RemoteProtocolError
from highper_core.events import BytesFragment, CloseConnection, Data, Ping, Pong, TextFragment
from highper_core.frames import Opcode, serialize_frame
from highper_core.interfaces import IWebSocketConnection
from highper_core.keepalive import Due, KeepAlive
from highper_core.permessage_deflate import Deflate, DeflateSettings, Parameters
from highper_core.state import ILLEGAL
from highper_core.websocket import WebSocket, frame_message

KEY = b"abcd"
KEEPING = DeflateSettings(server_no_context_takeover=False, client_no_context_takeover=False, memory=1 << 20)


def server(name: str, settings: DeflateSettings | None = None, *, gather: bool = True, **limits: object) -> WebSocket:
    deflate = None if settings is None else Deflate(Role.SERVER, settings.parameters, settings)
    return WebSocketConnection(Role.SERVER, name, Limits(**limits), deflate=deflate, gather=gather)  # type: ignore[arg-type]


def client(name: str, settings: DeflateSettings | None = None, **limits: object) -> WebSocket:
    deflate = None if settings is None else Deflate(Role.CLIENT, settings.parameters, settings)
    return WebSocketConnection(Role.CLIENT, name, Limits(**limits), deflate=deflate, mask_source=lambda _: KEY)  # type: ignore[arg-type]


def pull(socket: WebSocket, data: bytes = b"", now: float = 0.0) -> list[Event]:
    if data:
        socket.receive_data(data, now)
    events = []
    while (event := socket.next_event()) is not NEED_DATA:
        assert isinstance(event, Event)
        events.append(event)
    return events


def from_client(opcode: Opcode, payload: bytes = b"", *, finished: bool = True) -> bytes:
    return serialize_frame(opcode, payload, finished=finished, mask=KEY)


def refusal(socket: WebSocket, event: Event) -> Fault:
    with pytest.raises(LocalProtocolError) as caught:
        socket.send(event)
    return caught.value.fault


# Construction


def test_who_masks(engine_name: str) -> None:
    """A client brings its randomness, a server has none."""
    with pytest.raises(ValueError, match="mask source"):
        WebSocketConnection(Role.CLIENT, engine_name)
    with pytest.raises(ValueError, match="mask source"):
        WebSocketConnection(Role.SERVER, engine_name, mask_source=bytes)
    wrong = WebSocketConnection(Role.CLIENT, engine_name, mask_source=lambda _: b"abc")
    with pytest.raises(ValueError, match="3 bytes for 4"):
        wrong.send_message("x")


def test_an_engine_that_is_not_there() -> None:
    """Is said to be so."""
    with pytest.raises(EngineUnavailable, match="no engine is called"):
        WebSocketConnection(Role.SERVER, "steam")


def test_the_engine_that_was_asked_for(engine_name: str) -> None:
    """Compiled where it was demanded: no silent fallback."""
    assert engine_name in available()
    made = engine(engine_name).websocket(Role.SERVER, Limits())
    assert type(made).__module__.startswith(f"highper_core.engines.{engine_name}")
    assert (made.role, made.limits, made.deflate, made.gather) == (Role.SERVER, Limits(), None, True)


def test_both_engines_provide_the_interface(engine_name: str) -> None:
    """Every attribute, every method, and its parameters."""
    socket = server(engine_name)
    verifyObject(IWebSocketConnection, socket, tentative=True)
    for name, description in IWebSocketConnection.namesAndDescriptions():
        if isinstance(description, Method):
            parameters = inspect.signature(getattr(socket, name)).parameters
            assert tuple(parameters) == description.getSignatureInfo()["positional"], name


# States


def test_the_table_is_its_rows() -> None:
    """What is not in a row is illegal."""
    rows = {(state, what): after for state, what, after in ROWS}
    assert len(rows) == len(ROWS)
    for state, what in itertools.product(WebSocketState, ClosingInput):
        assert next_closing_state(state, what) == rows.get((state, what), ILLEGAL)
    assert len(TABLE) == len(WebSocketState) * len(ClosingInput)


def in_states(name: str) -> Iterator[tuple[str, WebSocket]]:
    """Every state of a server's socket, by every way that leads there."""
    yield "OPEN", server(name)
    closing = server(name)
    closing.send(CloseConnection())
    yield "CLOSING", closing
    by_peer = server(name)
    pull(by_peer, from_client(Opcode.CLOSE))
    yield "CLOSED", by_peer
    by_both = server(name)
    by_both.send(CloseConnection())
    pull(by_both, from_client(Opcode.CLOSE))
    yield "CLOSED", by_both
    failed = server(name)
    with pytest.raises(RemoteProtocolError):
        pull(failed, b"\xff")
    yield "FAILED", failed
    late = server(name)
    late.send(CloseConnection())
    late.expired(0.0)
    assert late.expired(10.0) is Fault.CLOSE_TIMEOUT
    yield "FAILED", late
    silent = server(name)
    assert [silent.expired(now) for now in (0.0, 20.0, 40.0)] == [Fault.NONE, Fault.NONE, Fault.PONG_TIMEOUT]
    yield "FAILED", silent


SENT: list[tuple[Event, ClosingInput]] = [
    (TextFragment("a"), ClosingInput.SEND_MESSAGE),
    (BytesFragment(b"a", False), ClosingInput.SEND_MESSAGE),
    (Ping(b"a"), ClosingInput.SEND_PING),
    (Pong(b"a"), ClosingInput.SEND_PONG),
    (CloseConnection(1001, "a"), ClosingInput.SEND_CLOSE),
]


@pytest.mark.parametrize("index", range(len(SENT)))
def test_what_may_be_sent_when(engine_name: str, index: int) -> None:
    """The full product of states and events: legal by the table, or refused without a trace."""
    event, what = SENT[index]
    for state, socket in in_states(engine_name):
        assert socket.state.name == state
        socket.data_to_send()
        after = next_closing_state(socket.state, what)
        if after == ILLEGAL:
            assert refusal(socket, event) is Fault.EVENT_ILLEGAL
            assert (socket.state.name, socket.data_to_send()) == (state, b"")
        else:
            socket.send(event)
            assert socket.state == after
            assert socket.data_to_send() != b""


def test_when_to_close(engine_name: str) -> None:
    """A server closes as soon as both Closes have gone, a client when the server has; whoever failed, at once."""
    for state, socket in in_states(engine_name):
        assert socket.must_close is (state in ("CLOSED", "FAILED"))
    asking = client(engine_name)
    assert pull(asking, b"\x88\x00") == [CloseConnection(1005)]
    assert (asking.state, asking.must_close) == (WebSocketState.CLOSED, False)
    asking.receive_data(b"")
    assert asking.must_close


def test_a_fault_stays(engine_name: str) -> None:
    """Every further call raises it, and what is received is dropped."""
    for state, socket in in_states(engine_name):
        if state == "FAILED":
            faults = []
            for _ in range(2):
                socket.receive_data(b"\x89\x80\0\0\0\0")
                with pytest.raises(RemoteProtocolError) as caught:
                    socket.next_event()
                faults.append(caught.value.fault)
            assert faults[0] is faults[1]
            assert socket.unparsed == 0


def test_bytes_behind_the_end(engine_name: str) -> None:
    """Are a mistake of ours."""
    socket = server(engine_name)
    socket.receive_data(b"")
    with pytest.raises(LocalProtocolError):
        socket.receive_data(b"x")


# Sending


def test_messages_written(engine_name: str) -> None:
    """Text and bytes of every size, by event and at once, masked and not, joined and in pieces."""
    for size in (0, 1, 125, 126, 16384, 16385, 65535, 65536):
        for message in ("x" * size, "é" * size, b"x" * size):
            opcode = Opcode.TEXT if isinstance(message, str) else Opcode.BINARY
            payload = message.encode() if isinstance(message, str) else message
            event = TextFragment(message) if isinstance(message, str) else BytesFragment(message)
            for socket, mask in ((server(engine_name), b""), (client(engine_name), KEY)):
                expected = serialize_frame(opcode, payload, mask=mask)
                socket.send_message(message)
                assert socket.data_to_send() == expected
                socket.send(event)
                socket.send_message(message)
                assert b"".join(socket.buffers_to_send()) == 2 * expected
                assert (socket.data_to_send(), socket.buffers_to_send()) == (b"", [])


def test_bytes_of_any_kind(engine_name: str) -> None:
    """Bytes-like objects are bytes; a number is not."""
    socket = server(engine_name)
    socket.send(BytesFragment(bytearray(b"ab")))
    socket.send(BytesFragment(memoryview(b"cd")))
    socket.send_message(bytearray(b"ef"))  # type: ignore[arg-type]
    assert socket.data_to_send() == b"\x82\x02ab\x82\x02cd\x82\x02ef"
    with pytest.raises(TypeError):
        socket.send_message(5)  # type: ignore[arg-type]
    assert socket.data_to_send() == b""


def test_fragments_written(engine_name: str) -> None:
    """A message in fragments, control frames between; the other kind, or a framed one, only behind it."""
    socket = server(engine_name)
    socket.send(TextFragment("a", False))
    socket.send(Ping(b"p"))
    assert refusal(socket, BytesFragment(b"b")) is Fault.EVENT_ILLEGAL
    with pytest.raises(LocalProtocolError):
        socket.send_framed(frame_message("x"))
    socket.send(TextFragment("", False))
    socket.send(TextFragment("c"))
    socket.send_message(b"d")
    assert socket.data_to_send() == b"\x01\x01a\x89\x01p\x00\x00\x80\x01c\x82\x01d"


def test_what_cannot_be_sent(engine_name: str) -> None:
    """Is refused by name, and leaves no trace."""
    socket = server(engine_name)
    for event, fault in (
        (Ping(bytes(126)), Fault.CONTROL_TOO_LONG),
        (Pong(bytes(126)), Fault.CONTROL_TOO_LONG),
        (TextFragment("\ud800"), Fault.TEXT_INVALID),
        (CloseConnection(1006), Fault.CLOSE_INVALID),
        (CloseConnection(1000, "x" * 124), Fault.CONTROL_TOO_LONG),
        (Data(b"x"), Fault.EVENT_ILLEGAL),
    ):
        assert refusal(socket, event) is fault
    assert (socket.data_to_send(), socket.state.name, socket.is_resting) == (b"", "OPEN", True)


def test_closing_inside_a_message(engine_name: str) -> None:
    """A Close may be sent there; the message is never finished."""
    socket = server(engine_name)
    socket.send(TextFragment("a", False))
    socket.send(CloseConnection(1011))
    assert socket.data_to_send() == b"\x01\x01a\x88\x02\x03\xf3"
    assert refusal(socket, TextFragment("b")) is Fault.EVENT_ILLEGAL


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


# Clocks


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
