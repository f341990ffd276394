"""Flaws that other WebSocket software had, one test for each kind, named after it (reference/reliability.md section 2).

Most are cases of the suite, gathered here by what went wrong; the others are played out on the core.
"""

from __future__ import annotations

import tracemalloc
import zlib
from time import process_time

import pytest
from conformance.cuts import cuts
from conformance.load_websocket import KEY, load_websocket
from conformance.websocket_conversation import live_through

from highper_core import NEED_DATA, Fault, Limits, RemoteProtocolError, Request, Role
from highper_core.engines import WebSocketConnection
from highper_core.errors import HandshakeError
from highper_core.events import Ping, TextFragment
from highper_core.frames import Opcode, serialize_frame
from highper_core.handshake import parse_extensions, read_opening
from highper_core.permessage_deflate import Deflate, DeflateSettings, accept_offer
from highper_core.websocket import WebSocket

CASES = {case.id: case for case in load_websocket()}
MIB = 1024 * 1024


def hold(engine: str, *ids: str) -> None:
    """The cases called `ids` hold, whole and byte by byte."""
    for name in ids:
        case = CASES[name]
        for pieces in ([case.input], [case.input[at : at + 1] for at in range(len(case.input))]):
            record = live_through(case, engine, [piece for piece in pieces if piece])
            assert (record.events, record.fault, record.written) == (case.events, case.fault, case.written), name


def socket_of(engine: str, settings: DeflateSettings | None = None, limits: Limits | None = None) -> WebSocket:
    deflate = None if settings is None else Deflate(Role.SERVER, settings.parameters, settings)
    return WebSocketConnection(Role.SERVER, engine, limits, deflate=deflate)


def drain(socket: WebSocket, data: bytes) -> int:
    """Feed `data`, return the number of events."""
    socket.receive_data(data)
    count = 0
    while socket.next_event() is not NEED_DATA:
        count += 1
    return count


def asked(name: bytes, value: bytes) -> Request:
    lines = {
        b"host": b"a",
        b"upgrade": b"websocket",
        b"connection": b"upgrade",
        b"sec-websocket-key": b"dGhlIHNhbXBsZSBub25jZQ==",
        b"sec-websocket-version": b"13",
    }
    return Request(method=b"GET", target=b"/", headers=(lines | {name: value}).items())


def test_int_as_parser(engine_name: str) -> None:
    """Lengths are octets in their shortest form, window bits and versions exactly their digits."""
    hold(engine_name, "header-length-top-bit", "header-length-all-ones", "header-length-125-in-two-octets")
    hold(engine_name, "header-length-65535-in-eight-octets", "header-length-0-in-two-octets")
    for version in (b"+13", b"013", b"1_3", b" 13", b"13.0", b"\xc2\xb93"):
        with pytest.raises(HandshakeError):
            read_opening(asked(b"sec-websocket-version", version))
    for bits in (b"+9", b"09", b"1_0", b"9.0", b"0x9", b"\xb2"):
        elements = parse_extensions([b"permessage-deflate; server_max_window_bits=" + bits])
        assert elements is None or accept_offer(elements, DeflateSettings()) is None


@pytest.mark.parametrize(
    "value", [b"webSocKet".replace(b"K", "\u212a".encode()), "\uff57ebsocket".encode(), b"websocket\xa0"]
)
def test_unicode_before_grammar(value: bytes) -> None:
    """What looks like a token to a reader of text is none."""
    with pytest.raises(HandshakeError):
        read_opening(asked(b"upgrade", value))


def test_two_parsers_that_differ(engine_name: str) -> None:
    """A bound, and what is refused, hold whatever the pieces in which the octets come."""
    for case in CASES.values():
        if case.fault and len(case.input) < 400:
            records = {repr(live_through(case, engine_name, pieces)) for pieces in cuts(case.input)}
            assert len(records) == 1, case.id


@pytest.mark.parametrize("unit", ["fragments", "pings", "messages", "blocks"])
def test_work_that_grows_faster_than_input(engine_name: str, unit: str) -> None:
    """Tiny fragments, Pings, messages and streams of DEFLATE cost what their octets cost, also an octet at a time."""
    units = {
        "fragments": serialize_frame(Opcode.CONTINUATION, b"x", finished=False, mask=KEY),
        "pings": serialize_frame(Opcode.PING, b"", mask=KEY),
        "messages": serialize_frame(Opcode.TEXT, b"x", mask=KEY),
        "blocks": b"\x03\x00",
    }

    def cost(count: int) -> float:
        spent = []
        for _ in range(3):
            socket = socket_of(engine_name, DeflateSettings())
            begun = serialize_frame(Opcode.TEXT, b"x", finished=False, mask=KEY) if unit == "fragments" else b""
            data = begun + units[unit] * count
            if unit == "blocks":
                data = serialize_frame(Opcode.TEXT, units[unit] * count, compressed=True, mask=b"\0\0\0\0")
            started = process_time()
            for at in range(0, len(data), 1 if unit != "blocks" else 4096):
                drain(socket, data[at : at + (1 if unit != "blocks" else 4096)])
                socket.data_to_send()
            spent.append(process_time() - started)
        return min(spent) / count

    assert cost(4000) <= 3 * cost(400)


def test_unbounded_queues(engine_name: str) -> None:
    """Fragments are held to the memory of one message, Pongs that nobody fetches to their bound."""
    hold(engine_name, "limit-message-passed-in-fragments", "fragments-many-empty", "fragments-many-small")
    socket = socket_of(engine_name, limits=Limits(websocket_pongs=1000))
    flood = serialize_frame(Opcode.PING, bytes(100), mask=KEY) * 1000
    assert drain(socket, flood) == 1000
    assert len(socket.data_to_send()) < 1300
    empty = serialize_frame(Opcode.CONTINUATION, b"", finished=False, mask=KEY) * 1000
    drain(socket, serialize_frame(Opcode.TEXT, b"", finished=False, mask=KEY))
    drain(socket, empty)
    tracemalloc.start()
    try:
        for _ in range(20):
            drain(socket, empty)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 64 * 1024
    assert drain(socket, serialize_frame(Opcode.CONTINUATION, b"", mask=KEY)) == 1


@pytest.mark.parametrize("gather", [True, False])
def test_decompression_bombs(engine_name: str, gather: bool) -> None:
    """A mebibyte that inflates to a gibibyte ends at the bound of a message, and never took more than that."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(stream.compress(bytes(MIB)) for _ in range(256)) + stream.flush(zlib.Z_SYNC_FLUSH)
    frame = serialize_frame(Opcode.BINARY, bomb[:-4], compressed=True, mask=KEY)
    socket = socket_of(engine_name, DeflateSettings())
    socket.gather = gather
    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError) as caught:
            drain(socket, frame)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.fault is Fault.MESSAGE_TOO_LARGE
    assert socket.data_to_send() == b"\x88\x02\x03\xf1"
    assert peak < 5 * MIB


@pytest.mark.parametrize("field", [b"key", b"protocol", b"extensions", b"version"])
def test_crash_on_odd_header_bytes(field: bytes) -> None:
    """Any octet in a field of the handshake is accepted or refused, and never ends otherwise (CVE-2026-42544)."""
    for octet in range(256):
        for value in (bytes((octet,)), b"a" + bytes((octet,)), b"a, " + bytes((octet,)) + b"b"):
            try:
                opening = read_opening(asked(b"sec-websocket-" + field, value))
            except HandshakeError:
                continue
            opening.accept(deflate=DeflateSettings())


@pytest.mark.parametrize("octet", range(256))
def test_crash_on_odd_frame_bytes(engine_name: str, octet: int) -> None:
    """Any octet anywhere in a frame is accepted or refused by a fault, and never ends otherwise (CVE-2025-69227)."""
    frame = serialize_frame(Opcode.CLOSE, b"\x03\xe8bye", mask=KEY)
    for settings in (None, DeflateSettings()):
        for at in range(len(frame)):
            socket = socket_of(engine_name, settings)
            told: list[RemoteProtocolError] = []
            for data in (frame[:at] + bytes((octet,)) + frame[at + 1 :], b"\x89\x80\0\0\0\0"):
                try:
                    drain(socket, data)
                except RemoteProtocolError as error:
                    told.append(error)
            assert len({error.fault for error in told}) <= 1
            assert all(error.close_code for error in told)
            socket.data_to_send()


def test_hang_after_a_late_error(engine_name: str) -> None:
    """Whoever asks again after a fault is told again, and the end of input does not hide it."""
    socket = socket_of(engine_name)
    drain(socket, serialize_frame(Opcode.TEXT, b"a", finished=False, mask=KEY))
    for data in (b"\xff", b"", None):
        if data is not None:
            socket.receive_data(data)
        with pytest.raises(RemoteProtocolError) as caught:
            socket.next_event()
        assert caught.value.fault is Fault.RESERVED_BIT_SET
    assert socket.must_close


def test_order_of_answers(engine_name: str) -> None:
    """Pongs, messages and a Close leave in the order in which they were framed."""
    socket = socket_of(engine_name)
    ping = serialize_frame(Opcode.PING, b"1", mask=KEY)
    socket.receive_data(ping + ping)
    assert isinstance(socket.next_event(), Ping)
    socket.send(TextFragment("x"))
    assert isinstance(socket.next_event(), Ping)
    drain(socket, serialize_frame(Opcode.CLOSE, b"", mask=KEY))
    assert socket.data_to_send() == b"\x8a\x011\x81\x01x\x8a\x011\x88\x00"


def test_log_injection(engine_name: str) -> None:
    """What a fault says for a log holds no octet of the peer's as it is."""
    for data in (b"\x88\x86\0\0\0\0\x03\xe8\r\n\xff\x00", b"\x81\x84\0\0\0\0\r\n\x1b\xff"):
        with pytest.raises(RemoteProtocolError) as caught:
            drain(socket_of(engine_name), data)
        assert str(caught.value).isprintable()
