"""Headers judged octet by octet, frames written, Close parsed; and the compiled twins of all that."""

from __future__ import annotations

import random
import struct

import pytest

from highper_core.errors import Fault, LocalProtocolError
from highper_core.frames import (
    FIRST_OCTET,
    SECOND_OCTET,
    CloseCode,
    Opcode,
    apply_mask,
    close_payload,
    is_close_code,
    length_fault,
    parse_close,
    serialize_frame,
)

LENGTHS = [0, 1, 3, 4, 7, 8, 15, 16, 63, 64, 65, 125, 126, 127, 1000, 65535, 65536, 70001]


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("in_message", [False, True])
def test_first_octets(in_message: bool, deflate: bool) -> None:
    """RFC 6455 section 5.2, written out: exactly these octets may begin a frame."""
    controls = {0x88, 0x89, 0x8A}
    data = {0x00, 0x80} if in_message else {0x01, 0x02, 0x81, 0x82}
    compressed = {0x41, 0x42, 0xC1, 0xC2} if deflate and not in_message else set()
    table = FIRST_OCTET[(in_message * 2 + deflate) * 256 :][:256]
    assert {octet for octet in range(256) if not table[octet]} == controls | data | compressed


@pytest.mark.parametrize("control", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_second_octets(masked: bool, control: bool) -> None:
    """The mask is there exactly when the peer is a client, and a control frame's length is short."""
    table = SECOND_OCTET[(masked * 2 + control) * 256 :][:256]
    allowed = range(0x80, 0x100) if masked else range(0x80)
    assert [octet for octet in range(256) if not table[octet]] == [o for o in allowed if not control or o & 127 < 126]


def test_lengths_have_one_form() -> None:
    """The shortest, and without a sign bit."""
    assert [length_fault(126, length) for length in (0, 125, 126, 65535)] == [128, 128, 0, 0]
    assert [length_fault(127, length) for length in (0, 65535, 65536, (1 << 63) - 1, 1 << 63)] == [128, 128, 0, 0, 128]


@pytest.mark.parametrize("length", LENGTHS)
def test_masking_twice_is_not_masking(length: int) -> None:
    """And each octet meets the key's octet at its place modulo four."""
    source = random.Random(length)
    data, mask = source.randbytes(length), source.randbytes(4)
    masked = apply_mask(data, mask)
    assert masked == bytes(octet ^ mask[i % 4] for i, octet in enumerate(data))
    assert apply_mask(masked, mask) == data


@pytest.mark.parametrize("length", LENGTHS)
def test_frames_written(length: int) -> None:
    """The header is the shortest there is, whatever the length."""
    payload = bytes(length)
    extended = b"" if length < 126 else struct.pack(">H", length) if length < 65536 else struct.pack(">Q", length)
    short = length if length < 126 else 126 if length < 65536 else 127
    assert serialize_frame(Opcode.BINARY, payload) == bytes((0x82, short)) + extended + payload
    unfinished = serialize_frame(Opcode.TEXT, payload, finished=False, compressed=True, mask=b"\1\2\3\4")
    head = bytes((0x41, 0x80 | short)) + extended + b"\1\2\3\4"
    assert unfinished == head + apply_mask(payload, b"\1\2\3\4")


def test_close_codes() -> None:
    """What may stand in a Close is what is registered and not reserved, and what belongs to nobody."""
    allowed = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}
    assert {code for code in range(1 << 16) if is_close_code(code)} == allowed
    for code in range(0, 1 << 16, 7):
        fault, parsed, reason = parse_close(struct.pack(">H", code) + b"why")
        assert (fault, parsed, reason) == ((0, code, "why") if code in allowed else (Fault.CLOSE_INVALID, 0, ""))


def test_close_written() -> None:
    """What is written can be read; what may not be sent is refused."""
    assert parse_close(close_payload(CloseCode.NORMAL, "auf Wiederhören")) == (Fault.NONE, 1000, "auf Wiederhören")
    assert parse_close(close_payload(CloseCode.NO_STATUS)) == (Fault.NONE, 1005, "")
    for code, reason, fault in (
        (1005, "why", Fault.CLOSE_INVALID),
        (1006, "", Fault.CLOSE_INVALID),
        (999, "", Fault.CLOSE_INVALID),
        (70000, "", Fault.CLOSE_INVALID),
        (1000, "é" * 62, Fault.CONTROL_TOO_LONG),
        (1000, "\ud800", Fault.CLOSE_REASON_INVALID),
    ):
        with pytest.raises(LocalProtocolError) as caught:
            close_payload(code, reason)
        assert caught.value.fault is fault


# The compiled twins


def test_the_compiled_mask_is_the_mask() -> None:
    """For every length and every place in the key."""
    fast = pytest.importorskip("highper_core.engines.fast._frames")
    source = random.Random(1)
    for length in (*range(200), *LENGTHS):
        data, mask = source.randbytes(length), source.randbytes(4)
        assert fast.apply_mask(data, mask) == apply_mask(data, mask)
        assert fast.turned_mask(mask, length) == (mask * 2)[length % 4 :][:4]
    with pytest.raises(ValueError, match="four"):
        fast.apply_mask(b"", b"abc")


def test_the_compiled_header_is_the_header() -> None:
    """Every first and second octet under every condition, and lengths at their bounds, whole and cut short."""
    fast = pytest.importorskip("highper_core.engines.fast._frames")
    for condition in range(8):
        masked, deflate, in_message = bool(condition & 4), bool(condition & 1), bool(condition & 2)
        for first in range(256):
            fault = FIRST_OCTET[(in_message * 2 + deflate) * 256 + first]
            assert fast.header_of(bytes((first,)), masked, deflate, in_message) == (fault, 0, 0, 0)
            for second in (0, 1, 125, 126, 127, 128, 253, 254, 255):
                expected = fault or SECOND_OCTET[(masked * 2 + (first & 15 >= 8)) * 256 + second]
                assert fast.header_of(bytes((first, second)), masked, deflate, in_message)[0] == expected
    for length in (0, 1, 125, 126, 127, 128, 65535, 65536, 65537, (1 << 63) - 1, 1 << 63, (1 << 64) - 1):
        for form, head in ((126, struct.pack(">H", length & 0xFFFF)), (127, struct.pack(">Q", length))):
            value = int.from_bytes(head, "big")
            whole = bytes((0x82, 0x80 | form)) + head + b"mask"
            fault = length_fault(form, value)
            expected = (fault, 0, 0, 0) if fault else (0, 0x82, len(whole), value)
            assert fast.header_of(whole) == expected
            for cut in range(len(whole) - 4):
                assert fast.header_of(whole[:cut]) == (0, 0, 0, 0)


def _prefix_is_text(data: bytes) -> bool:
    """Whether text may begin so: some character set of what can follow completes it."""
    endings = ("", "\x80", "\xbf", "\x80\x80", "\xbf\x80", "\x80\x80\x80", "\xbf\x80\x80", "\x9f\x80", "\xa0\x80")
    endings += ("\x90\x80\x80", "\x8f\x80\x80")
    for ending in endings:
        try:
            (data + ending.encode("latin-1")).decode()
        except UnicodeDecodeError:
            continue
        return True
    return False


def test_the_compiled_reader_of_text_refuses_what_cannot_go_on() -> None:
    """Every two octets, and the interesting ones of three and four: refused as soon as no character can come of it."""
    fast = pytest.importorskip("highper_core.engines.fast._frames")
    edges = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
    leads = [0x41, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5]
    data = [bytes((a, b)) for a in range(256) for b in range(256)]
    data += [bytes((a, b, c)) for a in leads for b in edges for c in edges]
    data += [bytes((a, b, c, d)) for a in leads for b in edges for c in edges for d in (0x00, 0x80, 0xBF, 0xC0)]
    for octets in data:
        expected = _prefix_is_text(octets)
        for pieces in ([octets], [octets[:1], octets[1:]], [octets[i : i + 1] for i in range(len(octets))]):
            assert fast.utf8_ends(pieces)[0] is expected, octets
        assert fast.utf8_ends([b"x" * 40 + octets])[0] is expected


def test_the_compiled_reader_of_text_knows_what_is_left_over() -> None:
    """However much of a character is there, behind text of any length."""
    fast = pytest.importorskip("highper_core.engines.fast._frames")
    for character in ("a", "é", "€", "😀"):
        octets = character.encode()
        for have in range(len(octets)):
            for before in (0, 1, 15, 16, 17, 40):
                assert fast.utf8_ends([b"x" * before + "€".encode() + octets[:have]]) == (True, have)
