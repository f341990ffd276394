"""Character classes for all 256 octets, and the productions built on them."""

from __future__ import annotations

import pytest

from highper_core import grammar
from highper_core.errors import Fault

ALPHA_DIGIT = {octet for octet in range(128) if chr(octet).isalnum()}
UNRESERVED = ALPHA_DIGIT | set(b"-._~")
SUB_DELIMS = set(b"!$&'()*+,;=")
CLASSES = {
    "TOKEN": ALPHA_DIGIT | set(b"!#$%&'*+-.^_`|~"),
    "REG_NAME": UNRESERVED | SUB_DELIMS | set(b"%"),
    "TARGET": UNRESERVED | SUB_DELIMS | set(b"%:@/?[]"),
    "FIELD_VALUE": {0x09} | set(range(0x20, 0x7F)) | set(range(0x80, 0x100)),
}


@pytest.mark.parametrize("name", CLASSES)
def test_class_of_every_octet(name: str) -> None:
    """A table holds 1 for exactly the octets its production names."""
    table = getattr(grammar, name)
    assert len(table) == 256
    assert {octet for octet in range(256) if table[octet]} == CLASSES[name]
    assert set(table) == {0, 1}


def test_digit_value_of_every_octet() -> None:
    """HEXDIG has the value of a hexadecimal digit."""
    for octet in range(256):
        char = chr(octet)
        is_hex = octet < 128 and char in "0123456789abcdefABCDEF"
        assert grammar.HEXDIG[octet] == (int(char, 16) if is_hex else grammar.NOT_A_DIGIT)


@pytest.mark.parametrize("octet", range(256))
def test_judges_follow_the_tables(octet: int) -> None:
    """The judges of whole values agree with the tables on every single octet."""
    char = bytes([octet])
    assert grammar.is_token(char) == bool(grammar.TOKEN[octet])
    assert grammar.is_digits(char) == (octet in b"0123456789")
    assert grammar.is_field_value(char) == bool(grammar.FIELD_VALUE[octet])
    expected = Fault.NONE if grammar.TARGET[octet] else Fault.TARGET_INVALID
    assert grammar.request_line_fault(b"GET", b"/" + char, b"HTTP/1.1") is expected
    assert (grammar.field_fault(char, b"") is Fault.NONE) == bool(grammar.TOKEN[octet])
    assert (grammar.field_fault(b"a", char) is Fault.NONE) == bool(grammar.FIELD_VALUE[octet])


def test_empty_is_no_token_and_no_number() -> None:
    """1*tchar and 1*DIGIT need one."""
    assert not grammar.is_token(b"")
    assert not grammar.is_digits(b"")
    assert grammar.is_field_value(b"")


def test_list_elements() -> None:
    """Empty elements of a list are ignored, case and whitespace too (RFC 9110 section 5.6.1.2)."""
    assert grammar.list_elements([b"Close, ,", b" \tUpgrade"]) == [b"close", b"upgrade"]
    assert grammar.list_elements([b""]) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"GET / HTTP/1.1", Fault.NONE),
        (b"GET / HTTP/1.0", Fault.NONE),
        (b"M-SEARCH * HTTP/1.1", Fault.TARGET_FORM_INVALID),
        (b"GET /", Fault.REQUEST_LINE_INVALID),
        (b"GET /  HTTP/1.1", Fault.REQUEST_LINE_INVALID),
        (b" GET / HTTP/1.1", Fault.REQUEST_LINE_INVALID),
        (b"GET / HTTP/1.1 ", Fault.REQUEST_LINE_INVALID),
        (b"GET\t/\tHTTP/1.1", Fault.REQUEST_LINE_INVALID),
        (b"GET / x HTTP/1.1", Fault.REQUEST_LINE_INVALID),
        (b"", Fault.REQUEST_LINE_INVALID),
        (b"GE(T / HTTP/1.1", Fault.METHOD_INVALID),
        (b"GET /# HTTP/1.1", Fault.TARGET_INVALID),
        (b"GET /{} HTTP/1.1", Fault.TARGET_INVALID),
        (b"GET / http/1.1", Fault.VERSION_INVALID),
        (b"GET / HTTP/1.10", Fault.VERSION_INVALID),
        (b"GET / HTTP/1,1", Fault.VERSION_INVALID),
        (b"GET / HTTP/x.1", Fault.VERSION_INVALID),
        (b"GET / HTTP/1.x", Fault.VERSION_INVALID),
        (b"GET / HTTP/0.9", Fault.VERSION_UNSUPPORTED),
        (b"PRI * HTTP/2.0", Fault.VERSION_UNSUPPORTED),
        (b"G@T /# HTTP/9", Fault.METHOD_INVALID),  # judged from left to right
    ],
)
def test_request_line(line: bytes, fault: Fault) -> None:
    """RFC 9112 section 3: three parts, judged in order."""
    assert grammar.parse_request_line(line)[0] is fault


def test_minor_versions_are_read_as_1_1() -> None:
    """RFC 9110 section 2.5: a higher minor version means the same to us."""
    assert grammar.parse_request_line(b"GET / HTTP/1.0") == (Fault.NONE, b"GET", b"/", b"1.0")
    for minor in b"123456789":
        line = b"GET / HTTP/1." + bytes([minor])
        assert grammar.parse_request_line(line) == (Fault.NONE, b"GET", b"/", b"1.1")
    assert grammar.parse_status_line(b"HTTP/1.7 200 ") == (Fault.NONE, 200, b"", b"1.1")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"HTTP/1.1 200 OK", Fault.NONE),
        (b"HTTP/1.0 999 ", Fault.NONE),
        (b"HTTP/1.1 200 a\tb \xff", Fault.NONE),
        (b"HTTP/1.1", Fault.STATUS_LINE_INVALID),
        (b"HTTP/1.1 200", Fault.STATUS_LINE_INVALID),
        (b"HTTP/1.1 20", Fault.STATUS_LINE_INVALID),
        (b"HTTP/1.1 2000 OK", Fault.STATUS_LINE_INVALID),
        (b"HTTP/1.1  200 OK", Fault.STATUS_LINE_INVALID),
        (b"HTTP/1.1 099 OK", Fault.STATUS_LINE_INVALID),
        (b"HTTP/1.1 +20 OK", Fault.STATUS_LINE_INVALID),
        (b"HTTP/1.1 200 a\x00", Fault.STATUS_LINE_INVALID),
        (b"ICY 200 OK", Fault.VERSION_INVALID),
        (b"HTTP/2.0 200 OK", Fault.VERSION_UNSUPPORTED),
    ],
)
def test_status_line(line: bytes, fault: Fault) -> None:
    """RFC 9112 section 4."""
    assert grammar.parse_status_line(line)[0] is fault


@pytest.mark.parametrize(
    ("method", "target", "good"),
    [
        (b"GET", b"/", True),
        (b"GET", b"/a/b?c=d&e[]=%20", True),
        (b"GET", b"//double", True),
        (b"OPTIONS", b"/", True),
        (b"OPTIONS", b"*", True),
        (b"GET", b"*", False),
        (b"OPTIONS", b"**", False),
        (b"GET", b"http://a", True),
        (b"GET", b"HTTP://a:80/b?c", True),
        (b"GET", b"http://a?b", True),
        (b"GET", b"coap+tcp://[::1]:5/", True),
        (b"GET", b"http://", False),
        (b"GET", b"http:///a", False),
        (b"GET", b"http://u@a/", False),
        (b"GET", b"http:a", False),
        (b"GET", b"://a", False),
        (b"GET", b"1http://a", False),
        (b"GET", b"ht_tp://a", False),
        (b"GET", b"a:80", False),
        (b"GET", b"?a", False),
        (b"CONNECT", b"a:80", True),
        (b"CONNECT", b"[::1]:443", True),
        (b"CONNECT", b"a", False),
        (b"CONNECT", b"a:", False),
        (b"CONNECT", b"a:0", False),
        (b"CONNECT", b"a:65536", False),
        (b"CONNECT", b":80", False),
        (b"CONNECT", b"/", False),
        (b"CONNECT", b"http://a:80", False),
        (b"CONNECT", b"*", False),
        (b"connect", b"a:80", False),  # methods are case-sensitive
    ],
)
def test_target_forms(method: bytes, target: bytes, good: bool) -> None:
    """RFC 9112 section 3.2: each form against its method."""
    assert grammar.target_form_fault(method, target) is (Fault.NONE if good else Fault.TARGET_FORM_INVALID)


@pytest.mark.parametrize(
    ("host", "good"),
    [
        (b"a", True),
        (b"a.b-c_d~e", True),
        (b"%41", True),
        (b"a%4Ab%c3", True),
        (b"%4", False),
        (b"a%zz", False),
        (b"%41 ", False),
        (b"a b%41", False),
        (b"127.0.0.1:8080", True),
        (b"a:", True),  # port = *DIGIT
        (b"a:00080", True),
        (b"a:65535", True),
        (b"a:65536", False),
        (b"a:000080", False),
        (b"a:8o", False),
        (b"a:-1", False),
        (b"a:80:80", False),
        (b":80", False),
        (b"", False),
        (b"a b", False),
        (b"a/b", False),
        (b"u@a", False),
        (b"[::1]", True),
        (b"[::1]:80", True),
        (b"[::1]:", True),
        (b"[::1", False),
        (b"[::1]80", False),
        (b"[::1]:x", False),
        (b"::1", False),
        (b"[]", False),
        (b"[::]", True),
        (b"[1:2:3:4:5:6:7:8]", True),
        (b"[1:2:3:4:5:6:7]", False),
        (b"[1:2:3:4:5:6:7:8:9]", False),
        (b"[1:2:3:4:5:6:7::]", True),
        (b"[1:2:3:4:5:6:7::8]", False),
        (b"[1::2::3]", False),
        (b"[:::]", False),
        (b"[:1::2]", False),
        (b"[12345::]", False),
        (b"[g::]", False),
        (b"[::ffff:1.2.3.4]", True),
        (b"[1:2:3:4:5:6:1.2.3.4]", True),
        (b"[1.2.3.4::]", False),
        (b"[1.2.3.4]", False),
        (b"[::1.2.3]", False),
        (b"[::1.2.3.256]", False),
        (b"[::1.2.3.04]", False),
        (b"[::1.2.3.0]", True),
        (b"[::1.2.3.x]", False),
        (b"[::1.2.3.1234]", False),
        (b"[fe80::1%25eth0]", False),
        (b"[v1.a:b]", True),
        (b"[VF.x]", True),
        (b"[v.x]", False),
        (b"[v1.]", False),
        (b"[v1]", False),
        (b"[vg.x]", False),
        (b"[v1.x@]", False),
    ],
)
def test_authority(host: bytes, good: bool) -> None:
    """RFC 3986 section 3.2: names, addresses, brackets, ports."""
    assert grammar.is_authority(host, port_needed=False) is good


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (b"Host: a", (Fault.NONE, b"host", b"a")),
        (b"A:", (Fault.NONE, b"a", b"")),
        (b"A: \t b\tc \t", (Fault.NONE, b"a", b"b\tc")),
        (b"A::b", (Fault.NONE, b"a", b":b")),
        (b"a: \xe9", (Fault.NONE, b"a", b"\xe9")),
        (b" a: b", (Fault.FIELD_FOLDED, b"", b"")),
        (b"\ta", (Fault.FIELD_FOLDED, b"", b"")),
        (b"a", (Fault.FIELD_LINE_INVALID, b"", b"")),
        (b"a : b", (Fault.FIELD_NAME_SPACE, b"", b"")),
        (b"a\t: b", (Fault.FIELD_NAME_SPACE, b"", b"")),
        (b": b", (Fault.FIELD_NAME_INVALID, b"", b"")),
        (b"a b: c", (Fault.FIELD_NAME_INVALID, b"", b"")),
        (b"\xe2\x84\xaa: c", (Fault.FIELD_NAME_INVALID, b"", b"")),
        (b"a: \x00", (Fault.FIELD_VALUE_INVALID, b"", b"")),
        (b"a: \x7f", (Fault.FIELD_VALUE_INVALID, b"", b"")),
        (b"a: \x0b", (Fault.FIELD_VALUE_INVALID, b"", b"")),
    ],
)
def test_field_line(line: bytes, outcome: tuple[Fault, bytes, bytes]) -> None:
    """RFC 9112 section 5."""
    assert grammar.parse_field_line(line) == outcome


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (b"0", (Fault.NONE, 0, 0)),
        (b"aF", (Fault.NONE, 0xAF, 0)),
        (b"000000000000000a", (Fault.NONE, 10, 0)),
        (b"ffffffffffffffff", (Fault.NONE, 2**64 - 1, 0)),
        (b"0000000000000000a", (Fault.CHUNK_SIZE_INVALID, 0, 0)),
        (b"", (Fault.CHUNK_SIZE_INVALID, 0, 0)),
        (b"0x1", (Fault.CHUNK_SIZE_INVALID, 0, 0)),
        (b"+1", (Fault.CHUNK_SIZE_INVALID, 0, 0)),
        (b"-1", (Fault.CHUNK_SIZE_INVALID, 0, 0)),
        (b"1_0", (Fault.CHUNK_SIZE_INVALID, 0, 0)),
        (b" 1", (Fault.CHUNK_SIZE_INVALID, 0, 0)),
        (b"1 ", (Fault.CHUNK_SIZE_INVALID, 0, 0)),
        (b";a", (Fault.CHUNK_SIZE_INVALID, 0, 0)),
        (b"1;a", (Fault.NONE, 1, 2)),
        (b"1;a=b;c", (Fault.NONE, 1, 6)),
        (b'1;a="b;c\\"\t \xe9"', (Fault.NONE, 1, 13)),
        (b'1;a="";b=""', (Fault.NONE, 1, 10)),
        (b"1;", (Fault.CHUNK_EXTENSION_INVALID, 0, 0)),
        (b"1;;a", (Fault.CHUNK_EXTENSION_INVALID, 0, 0)),
        (b"1; a", (Fault.CHUNK_EXTENSION_INVALID, 0, 0)),
        (b"1;a =b", (Fault.CHUNK_EXTENSION_INVALID, 0, 0)),
        (b"1;a=", (Fault.CHUNK_EXTENSION_INVALID, 0, 0)),
        (b"1;=b", (Fault.CHUNK_EXTENSION_INVALID, 0, 0)),
        (b"1;a=b;", (Fault.CHUNK_EXTENSION_INVALID, 0, 0)),
        (b'1;a="', (Fault.CHUNK_EXTENSION_INVALID, 0, 0)),
        (b'1;a="b', (Fault.CHUNK_EXTENSION_INVALID, 0, 0)),
        (b'1;a="b\\', (Fault.CHUNK_EXTENSION_INVALID, 0, 0)),
        (b'1;a="b\\"', (Fault.CHUNK_EXTENSION_INVALID, 0, 0)),
        (b'1;a="b"c', (Fault.CHUNK_EXTENSION_INVALID, 0, 0)),
        (b'1;a="\x00"', (Fault.CHUNK_EXTENSION_INVALID, 0, 0)),
        (b'1;a="\\\x00"', (Fault.CHUNK_EXTENSION_INVALID, 0, 0)),
        (b"1;\xe9", (Fault.CHUNK_EXTENSION_INVALID, 0, 0)),
    ],
)
def test_chunk_line(line: bytes, outcome: tuple[Fault, int, int]) -> None:
    """RFC 9112 section 7.1: no sign, no prefix, no space; extensions by their grammar."""
    assert grammar.parse_chunk_line(line) == outcome
