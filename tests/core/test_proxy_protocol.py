"""The PROXY protocol's header: both versions, every cut, every fault."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from highper_core.proxy_protocol import (
    LONGEST_HEADER,
    ProxyFault,
    ProxyHeader,
    ProxyHeaderInvalid,
    ProxyHeaderReader,
)

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"

FOUR = bytes([192, 0, 2, 7, 192, 0, 2, 1]) + struct.pack("!HH", 52110, 443)


def read(data: bytes, *cuts: int) -> tuple[ProxyHeader, bytes] | None:
    """Read `data` in pieces; what is behind the header comes back whole."""
    reader = ProxyHeaderReader()
    places = sorted({0, len(data), *cuts})
    for start, end in pairwise(places):
        found = reader.receive_data(data[start:end])
        if found is not None:
            return found[0], found[1] + data[end:]
    return None


def fault_of(data: bytes) -> ProxyFault:
    """Return the one fault that `data` has, however it is cut."""
    faults = set()
    for size in (1, 2, 7, len(data)):
        with pytest.raises(ProxyHeaderInvalid) as caught:
            read(data, *range(0, len(data), size))
        faults.add(caught.value.fault)
    [fault] = faults
    return fault


def binary(rest: bytes = FOUR, *, command: int = 0x21, family: int = 0x11, length: int | None = None) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(rest) if length is None else length) + rest


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


def crc32c(data: bytes) -> int:
    """By the definition, a bit at a time."""
    remainder = 0xFFFFFFFF
    for octet in data:
        remainder ^= octet
        for _ in range(8):
            remainder = remainder >> 1 ^ (0x82F63B78 if remainder & 1 else 0)
    return remainder ^ 0xFFFFFFFF


def sealed(*tlvs: bytes) -> bytes:
    """A header with its checksum."""
    data = binary(FOUR + tlv(0x03, bytes(4)) + b"".join(tlvs))
    at = data.index(tlv(0x03, bytes(4))) + 3
    return data[:at] + crc32c(data).to_bytes(4, "big") + data[at + 4 :]


# What is read

ports = st.integers(0, 65535)
names = st.binary(min_size=1, max_size=108).filter(lambda name: name.rstrip(b"\0") == name and b"\0" not in name)


@given(
    st.one_of(
        st.tuples(st.just("TCP4"), st.ip_addresses(v=4), st.ip_addresses(v=4)),
        st.tuples(st.just("TCP6"), st.ip_addresses(v=6), st.ip_addresses(v=6)),
    ),
    ports,
    ports,
    st.binary(max_size=20),
    st.lists(st.integers(0, 120), max_size=5),
)
def test_a_line_is_read_as_it_was_written(
    addresses: tuple[str, IPv4Address, IPv4Address], source: int, destination: int, rest: bytes, cuts: list[int]
) -> None:
    """Version 1, whatever follows and however it is cut (section 2.1)."""
    family, client, server = addresses
    found = read(f"PROXY {family} {client} {server} {source} {destination}\r\n".encode() + rest, *cuts)
    assert found is not None
    header, unread = found
    assert unread == rest
    assert (header.version, header.local) == (1, False)
    assert (header.source, header.destination) == ((str(client), source), (str(server), destination))


@given(
    st.sampled_from([4, 6]),
    st.data(),
    ports,
    ports,
    st.lists(st.tuples(st.integers(0xE0, 0xFF), st.binary(max_size=30)), max_size=5),
    st.binary(max_size=20),
    st.lists(st.integers(0, 300), max_size=5),
)
def test_a_binary_header_is_read_as_it_was_written(
    version: int,
    data: st.DataObject,
    source: int,
    destination: int,
    tlvs: list[tuple[int, bytes]],
    rest: bytes,
    cuts: list[int],
) -> None:
    """Version 2: addresses, ports and TLVs of any type (section 2.2)."""
    client, server = data.draw(st.ip_addresses(v=version)), data.draw(st.ip_addresses(v=version))
    block = client.packed + server.packed + struct.pack("!HH", source, destination)
    written = binary(block + b"".join(tlv(*each) for each in tlvs), family=0x11 if version == 4 else 0x21)
    found = read(written + rest, *cuts)
    assert found is not None
    header, unread = found
    assert unread == rest
    assert (header.source, header.destination) == ((str(client), source), (str(server), destination))
    assert header.tlvs == tuple(tlvs)


@given(names, names)
def test_unix_paths_are_read(source: bytes, destination: bytes) -> None:
    """108 bytes each, the unused ones zero; bytes that are not UTF-8 survive."""
    found = read(binary(source.ljust(108, b"\0") + destination.ljust(108, b"\0"), family=0x31))
    assert found is not None
    assert isinstance(found[0].source, str)
    assert isinstance(found[0].destination, str)
    assert found[0].source.encode("utf-8", "surrogateescape") == source
    assert found[0].destination.encode("utf-8", "surrogateescape") == destination


def test_unnamed_and_abstract_unix_sockets() -> None:
    """Most clients of a Unix socket have no name; an abstract one begins with NUL."""
    found = read(binary(bytes(108) + b"\0here".ljust(108, b"\0"), family=0x31))
    assert found is not None
    assert (found[0].source, found[0].destination) == (None, "\0here")


@pytest.mark.parametrize(
    "data",
    [
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN ffff::1 ffff::2 1 2 and more\r\n",
        binary(b"", family=0x00),
        binary(b"" + tlv(0xE0, b"x"), family=0x00),
    ],
)
def test_a_proxy_may_not_know_its_client(data: bytes) -> None:
    """No address is not the proxy's own address."""
    for cut in range(len(data)):
        found = read(data + b"GET", cut)
        assert found is not None
        assert (found[0].local, found[0].source, found[0].destination, found[1]) == (False, None, None, b"GET")


@pytest.mark.parametrize("rest", [b"", FOUR, b"whatever"])
@pytest.mark.parametrize("family", [0x00, 0x11, 0x12, 0xFF])
def test_a_proxy_may_speak_for_itself(rest: bytes, family: int) -> None:
    """LOCAL: the family and what follows mean nothing (section 2.2)."""
    found = read(binary(rest, command=0x20, family=family) + b"GET")
    assert found == (ProxyHeader(version=2, local=True), b"GET")


@pytest.mark.parametrize(
    "data", [b"PROXY TCP4 192.0.2.7 192.0.2.1 52110 443\r\n", binary(), sealed(tlv(0x02, b"example.org"))]
)
def test_every_cut_reads_the_same(data: bytes) -> None:
    """Each pair of cuts, and byte by byte; too little is never enough."""
    whole = read(data + b"rest")
    assert whole is not None
    assert read(data + b"rest", *range(len(data))) == whole
    for first in range(len(data)):
        assert read(data[:first]) is None
        assert all(read(data + b"rest", first, second) == whole for second in range(first, len(data) + 4, 3))


def test_what_the_proxy_tells_besides() -> None:
    """ALPN, authority, unique id and TLS (sections 2.2.1 to 2.2.6)."""
    details = tlv(0x21, b"TLSv1.3") + tlv(0x22, b"a client")
    found = read(
        sealed(
            tlv(0x01, b"http/1.1"),
            tlv(0x02, "bücher.example".encode()),
            tlv(0x04, b"padding"),
            tlv(0x05, b"id"),
            tlv(0x20, b"\x07" + bytes(4) + details),
        )
    )
    assert found is not None
    header = found[0]
    assert (header.alpn, header.authority, header.unique_id) == (b"http/1.1", "bücher.example", b"id")
    assert header.tls is not None
    assert (header.tls.secure, header.tls.certified, header.tls.verified) == (True, True, True)
    assert header.tls.details == {0x21: b"TLSv1.3", 0x22: b"a client"}
    assert [kind for kind, _ in header.tlvs] == [0x03, 0x01, 0x02, 0x04, 0x05, 0x20]


@pytest.mark.parametrize(
    ("client", "verify", "expected"),
    [
        (0, 0, (False, False, False)),
        (1, 0, (True, False, False)),
        (3, 1, (True, True, False)),
        (5, 0, (True, True, True)),
    ],
)
def test_a_certificate_counts_only_where_there_is_one(
    client: int, verify: int, expected: tuple[bool, bool, bool]
) -> None:
    """`verify` is zero, too, where no certificate was presented."""
    found = read(binary(FOUR + tlv(0x20, struct.pack("!BI", client, verify))))
    assert found is not None
    assert found[0].tls is not None
    assert (found[0].tls.secure, found[0].tls.certified, found[0].tls.verified) == expected


def test_the_checksum_is_the_known_one() -> None:
    """The check value of CRC-32C, so that printer and reader are not wrong together."""
    assert crc32c(b"123456789") == 0xE3069283


# What is refused


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"GET / HTTP/1.1\r\n", ProxyFault.SIGNATURE_INVALID),
        (b"proxy TCP4 ", ProxyFault.SIGNATURE_INVALID),
        (b"\x16\x03\x01", ProxyFault.SIGNATURE_INVALID),
        (b"\r\n\r\n\x00\r\nQUIX\n", ProxyFault.SIGNATURE_INVALID),
        (b"PROXY  TCP4 192.0.2.7 192.0.2.1 1 2\r\n", ProxyFault.LINE_INVALID),
        (b"PROXY TCP4  192.0.2.7 192.0.2.1 1 2\r\n", ProxyFault.LINE_INVALID),
        (b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2 \r\n", ProxyFault.LINE_INVALID),
        (b"PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n", ProxyFault.LINE_INVALID),
        (b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n", ProxyFault.LINE_INVALID),
        (b"PROXY TCP4 192.0.2.7 192.0.2.1 1 \r2\r\n", ProxyFault.LINE_INVALID),
        (b"PROXY tcp4 192.0.2.7 192.0.2.1 1 2\r\n", ProxyFault.LINE_INVALID),
        (b"PROXY UDP4 192.0.2.7 192.0.2.1 1 2\r\n", ProxyFault.LINE_INVALID),
        (b"PROXY UNKNOWN\xff\r\n", ProxyFault.LINE_INVALID),
        (b"PROXY TCP4 192.0.2.7 192.0.2.1 1 \xd9\xa1\r\n", ProxyFault.LINE_INVALID),
        (b"PROXY UNKNOWN " + b"x" * 93, ProxyFault.LINE_TOO_LONG),
        (b"PROXY TCP4 192.0.2.07 192.0.2.1 1 2\r\n", ProxyFault.ADDRESS_INVALID),
        (b"PROXY TCP4 192.0.2 192.0.2.1 1 2\r\n", ProxyFault.ADDRESS_INVALID),
        (b"PROXY TCP4 192.0.2.7/32 192.0.2.1 1 2\r\n", ProxyFault.ADDRESS_INVALID),
        (b"PROXY TCP4 ::1 ::1 1 2\r\n", ProxyFault.ADDRESS_INVALID),
        (b"PROXY TCP6 192.0.2.7 192.0.2.1 1 2\r\n", ProxyFault.ADDRESS_INVALID),
        (b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", ProxyFault.ADDRESS_INVALID),
        (b"PROXY TCP4 192.0.2.7 192.0.2.1 65536 2\r\n", ProxyFault.PORT_INVALID),
        (b"PROXY TCP4 192.0.2.7 192.0.2.1 1 02\r\n", ProxyFault.PORT_INVALID),
        (b"PROXY TCP4 192.0.2.7 192.0.2.1 +1 2\r\n", ProxyFault.PORT_INVALID),
        (b"PROXY TCP4 192.0.2.7 192.0.2.1 1 -2\r\n", ProxyFault.PORT_INVALID),
        (b"PROXY TCP4 192.0.2.7 192.0.2.1 1 1_0\r\n", ProxyFault.PORT_INVALID),
        (b"PROXY TCP4 192.0.2.7 192.0.2.1  2\r\n", ProxyFault.PORT_INVALID),
    ],
)
def test_lines_that_are_refused(line: bytes, fault: ProxyFault) -> None:
    """Single spaces, exact words, plain decimals, CRLF."""
    assert fault_of(line) is fault


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (binary(command=0x11), ProxyFault.VERSION_UNSUPPORTED),
        (binary(command=0x31), ProxyFault.VERSION_UNSUPPORTED),
        (binary(command=0x22), ProxyFault.COMMAND_UNKNOWN),
        (binary(family=0x12), ProxyFault.FAMILY_UNSUPPORTED),
        (binary(family=0x01), ProxyFault.FAMILY_UNSUPPORTED),
        (binary(family=0x41), ProxyFault.FAMILY_UNSUPPORTED),
        (binary(length=LONGEST_HEADER - 15), ProxyFault.HEADER_TOO_LONG),
        (binary(length=65535), ProxyFault.HEADER_TOO_LONG),
        (binary(length=11), ProxyFault.LENGTH_INVALID),
        (binary(family=0x21), ProxyFault.LENGTH_INVALID),
        (binary(family=0x31), ProxyFault.LENGTH_INVALID),
        (binary(FOUR + b"\xe0"), ProxyFault.TLV_INVALID),
        (binary(FOUR + b"\xe0\x00"), ProxyFault.TLV_INVALID),
        (binary(FOUR + b"\xe0\x00\x02x"), ProxyFault.TLV_INVALID),
        (binary(FOUR + tlv(0x02, b"\xff")), ProxyFault.TLV_INVALID),
        (binary(FOUR + tlv(0x02, b"a" * 256)), ProxyFault.TLV_INVALID),
        (binary(FOUR + tlv(0x05, b"a" * 129)), ProxyFault.TLV_INVALID),
        (binary(FOUR + tlv(0x03, b"abc")), ProxyFault.TLV_INVALID),
        (binary(FOUR + tlv(0x20, b"\x01\x00\x00\x00")), ProxyFault.TLV_INVALID),
        (binary(FOUR + tlv(0x20, bytes(5) + b"\x21\x00\x05x")), ProxyFault.TLV_INVALID),
        (binary(FOUR + tlv(0x20, bytes(5) + tlv(0x22, b"a") * 2)), ProxyFault.TLV_REPEATED),
        *((binary(FOUR + tlv(kind, bytes(5)) * 2), ProxyFault.TLV_REPEATED) for kind in (1, 2, 3, 5, 0x20, 0x30)),
        (binary(FOUR + tlv(0xE0, b"") * 101), ProxyFault.TOO_MANY_TLVS),
        (binary(FOUR + tlv(0x03, bytes(4))), ProxyFault.CHECKSUM_MISMATCH),
    ],
)
def test_binary_headers_that_are_refused(data: bytes, fault: ProxyFault) -> None:
    """Whatever two readers could read differently, and whatever no stream can carry."""
    assert fault_of(data) is fault


@given(st.integers(0, 255), st.data())
def test_a_checksum_sees_every_changed_byte(octet: int, data: st.DataObject) -> None:
    """What a sealed header says is what was sealed."""
    whole = sealed(tlv(0x02, b"example.org"), tlv(0x05, b"id"))
    at = data.draw(st.integers(16, len(whole) - 1))
    changed = whole[:at] + bytes([octet]) + whole[at + 1 :]
    if changed != whole:
        try:
            found = read(changed)
        except ProxyHeaderInvalid:
            return
        assert found is not None
        assert 0x03 not in dict(found[0].tlvs)  # its own type was changed: there is no checksum any more


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=6))
def test_no_bytes_raise_anything_else(noise: bytes, cuts: list[int]) -> None:
    """A header, more to come, or the one error; the same however it is cut."""
    for start in (b"", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11", binary(length=len(noise) + 12)):
        outcomes = []
        for places in ((), tuple(cuts), tuple(range(len(start + noise)))):
            try:
                outcomes.append(read(start + noise, *places))
            except ProxyHeaderInvalid as error:
                outcomes.append(error.fault)
        assert outcomes[0] == outcomes[1] == outcomes[2]


def test_a_stream_without_end_is_not_kept() -> None:
    """What follows a header is handed out, and never held with it."""
    reader = ProxyHeaderReader()
    found = reader.receive_data(binary() + bytes(1 << 20))
    assert found is not None
    assert found[1] == bytes(1 << 20)
