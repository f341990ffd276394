"""The header by which a proxy that relays bytes says on whose behalf it does: PROXY protocol, versions 1 and 2.

    PROXY TCP4 192.0.2.7 192.0.2.1 52110 443\\r\\n            version 1: a line
    signature | version, command | family | length | addresses | TLVs    version 2: binary

It comes before anything else on a stream, TLS included, and says what no peer may say of itself: whoever reads one
decides first whether this peer is to be believed. Reading is strict. Two readers must never see two clients in one
header, so what the specification leaves to the receiver is refused here, and so is a header that is repeated in part.

Source: "The PROXY protocol, versions 1 & 2", haproxy.org, sections 2.1 and 2.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, TypeAlias

from .errors import HighperError
from .grammar import is_digits

__all__ = ["ProxyFault", "ProxyHeader", "ProxyHeaderInvalid", "ProxyHeaderReader", "ProxyTLS"]

Address: TypeAlias = "tuple[str, int] | str | None"

SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
LONGEST_LINE: Final = 107  # with its CRLF
LONGEST_HEADER: Final = 16 * 1024  # a client's certificate may be inside
MOST_TLVS: Final = 100
_PREFIX: Final = b"PROXY "
_FIXED: Final = 16  # signature, version and command, family, length


class ProxyFault(IntEnum):
    """A rule of the header that was broken."""

    SIGNATURE_INVALID = 1  # neither version begins like this
    LINE_INVALID = 2  # version 1: parts, spaces or line end
    LINE_TOO_LONG = 3
    ADDRESS_INVALID = 4
    PORT_INVALID = 5
    VERSION_UNSUPPORTED = 6
    COMMAND_UNKNOWN = 7
    FAMILY_UNSUPPORTED = 8  # not a stream's, or unknown
    HEADER_TOO_LONG = 9
    LENGTH_INVALID = 10  # shorter than its addresses
    TLV_INVALID = 11
    TLV_REPEATED = 12
    TOO_MANY_TLVS = 13
    CHECKSUM_MISMATCH = 14


class ProxyHeaderInvalid(HighperError):
    """The header breaks a rule. Nothing on this stream may be read any more."""

    def __init__(self, fault: ProxyFault) -> None:
        super().__init__(fault.name.lower().replace("_", " "))
        self.fault = fault


@dataclass(frozen=True, slots=True)
class ProxyTLS:
    """How the client spoke to the proxy (PP2_TYPE_SSL, section 2.2.6).

    Attributes:
        secure: it came over TLS.
        certified: it presented a certificate, on this connection or earlier in the session.
        verified: and the proxy found that in order.
        details: bytes of each sub-TLV by its type: 0x21 version, 0x22 the certificate's common name, 0x23 cipher...
    """

    secure: bool
    certified: bool
    verified: bool
    details: dict[int, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyHeader:
    """What a proxy said.

    Attributes:
        version: 1 or 2.
        local: the proxy speaks for itself, as in a health check: the stream's own addresses hold.
        source: the client: (host, port), a path, or None where the proxy does not tell.
        destination: whom the client spoke to, likewise.
        alpn: protocol agreed upon with the client.
        authority: host name the client asked for, as in SNI.
        unique_id: the proxy's name for this connection.
        tls: how the client spoke to the proxy, where it tells.
        tlvs: type and value of all, in order.
    """

    version: int
    local: bool = False
    source: Address = None
    destination: Address = None
    alpn: bytes | None = None
    authority: str | None = None
    unique_id: bytes | None = None
    tls: ProxyTLS | None = None
    tlvs: tuple[tuple[int, bytes], ...] = ()


class ProxyHeaderReader:
    """Reads one header from the front of a stream, in whatever pieces it comes."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    def receive_data(self, data: bytes) -> tuple[ProxyHeader, bytes] | None:
        """Take bytes. Return the header and what came behind it once it is whole, None until then.

        Cost: linear; 16 KiB at most are held.

        Raises:
            ProxyHeaderInvalid: what came can be no header. The reader is spent then.
        """
        known = len(self._data)
        self._data += data[: LONGEST_HEADER - known]
        end = self._end(known)
        if end == 0:
            return None
        whole = bytes(self._data[:end])
        self._data.clear()
        return _parse_line(whole) if whole.startswith(_PREFIX) else _parse_binary(whole), data[end - known :]

    def _end(self, known: int) -> int:
        """Return where the header ends, 0 while that is not known or has not come."""
        data = self._data
        for start in (_PREFIX, SIGNATURE):
            if start.startswith(bytes(data[: len(start)])):
                break
        else:
            raise ProxyHeaderInvalid(ProxyFault.SIGNATURE_INVALID)
        if start is _PREFIX:
            return self._end_of_line(known)
        if len(data) > 12 and data[12] >> 4 != 2:
            raise ProxyHeaderInvalid(ProxyFault.VERSION_UNSUPPORTED)
        if len(data) < _FIXED:
            return 0
        end = _FIXED + int.from_bytes(data[14:16], "big")
        if end > LONGEST_HEADER:
            raise ProxyHeaderInvalid(ProxyFault.HEADER_TOO_LONG)
        return end if len(data) >= end else 0

    def _end_of_line(self, known: int) -> int:
        end = self._data.find(b"\n", known, LONGEST_LINE)
        if end >= 0:
            return end + 1
        if len(self._data) >= LONGEST_LINE:
            raise ProxyHeaderInvalid(ProxyFault.LINE_TOO_LONG)
        return 0


# Version 1


def _parse_line(line: bytes) -> ProxyHeader:
    if not line.endswith(b"\r\n") or b"\r" in line[:-2] or not line.isascii():
        raise ProxyHeaderInvalid(ProxyFault.LINE_INVALID)
    parts = line[len(_PREFIX) : -2].split(b" ")
    if parts[0] == b"UNKNOWN":  # whatever follows is to be ignored
        return ProxyHeader(version=1)
    if len(parts) != 5 or parts[0] not in (b"TCP4", b"TCP6"):
        raise ProxyHeaderInvalid(ProxyFault.LINE_INVALID)
    family = IPv4Address if parts[0] == b"TCP4" else IPv6Address
    source, destination = (_host(part, family) for part in parts[1:3])
    return ProxyHeader(version=1, source=(source, _port(parts[3])), destination=(destination, _port(parts[4])))


def _host(text: bytes, family: type[IPv4Address] | type[IPv6Address]) -> str:
    if b"%" in text or b"/" in text:  # an interface of the proxy's, or a network
        raise ProxyHeaderInvalid(ProxyFault.ADDRESS_INVALID)
    try:
        return str(family(text.decode("ascii")))
    except AddressValueError:
        raise ProxyHeaderInvalid(ProxyFault.ADDRESS_INVALID) from None


def _port(text: bytes) -> int:
    if not is_digits(text) or len(text) > 5 or (text[0] == 0x30 and text != b"0") or (port := int(text)) > 65535:
        raise ProxyHeaderInvalid(ProxyFault.PORT_INVALID)
    return port


# Version 2

_UNSPECIFIED, _TCP4, _TCP6, _UNIX = 0x00, 0x11, 0x21, 0x31
_SIZES: Final = {_UNSPECIFIED: 0, _TCP4: 12, _TCP6: 36, _UNIX: 216}
_LOCAL, _PROXY = 0, 1
_ALPN, _AUTHORITY, _CHECKSUM, _UNIQUE_ID, _TLS, _NAMESPACE = 0x01, 0x02, 0x03, 0x05, 0x20, 0x30
_ONCE: Final = frozenset({_ALPN, _AUTHORITY, _CHECKSUM, _UNIQUE_ID, _TLS, _NAMESPACE})
_LONGEST_AUTHORITY, _LONGEST_ID = 255, 128


def _parse_binary(data: bytes) -> ProxyHeader:
    command = data[12] & 0x0F
    if command == _LOCAL:  # the rest means nothing, whatever it is
        return ProxyHeader(version=2, local=True)
    if command != _PROXY:
        raise ProxyHeaderInvalid(ProxyFault.COMMAND_UNKNOWN)
    family = data[13]
    if family not in _SIZES:
        raise ProxyHeaderInvalid(ProxyFault.FAMILY_UNSUPPORTED)
    size = _SIZES[family]
    if len(data) < _FIXED + size:
        raise ProxyHeaderInvalid(ProxyFault.LENGTH_INVALID)
    source, destination = _addresses(family, data[_FIXED : _FIXED + size])
    tlvs = tuple((kind, data[start:end]) for kind, start, end in _tlvs(data, _FIXED + size))
    found = {kind: value for kind, value in tlvs if kind in _ONCE}
    if len(found) != sum(kind in _ONCE for kind, _ in tlvs):
        raise ProxyHeaderInvalid(ProxyFault.TLV_REPEATED)
    if _CHECKSUM in found:
        _check(data, _FIXED + size)
    if len(found.get(_UNIQUE_ID, b"")) > _LONGEST_ID:
        raise ProxyHeaderInvalid(ProxyFault.TLV_INVALID)
    return ProxyHeader(
        version=2,
        source=source,
        destination=destination,
        alpn=found.get(_ALPN),
        authority=_authority(found[_AUTHORITY]) if _AUTHORITY in found else None,
        unique_id=found.get(_UNIQUE_ID),
        tls=_secured(found[_TLS]) if _TLS in found else None,
        tlvs=tlvs,
    )


def _addresses(family: int, block: bytes) -> tuple[Address, Address]:
    if family == _UNSPECIFIED:
        return None, None
    if family == _UNIX:
        return _path(block[:108]), _path(block[108:])
    size = 4 if family == _TCP4 else 16
    hosts = [str((IPv4Address if size == 4 else IPv6Address)(block[at : at + size])) for at in (0, size)]
    ports = [int.from_bytes(block[at : at + 2], "big") for at in (2 * size, 2 * size + 2)]
    return (hosts[0], ports[0]), (hosts[1], ports[1])


def _path(name: bytes) -> str | None:
    is_abstract = name.startswith(b"\0")
    name = name.rstrip(b"\0") if is_abstract else name.partition(b"\0")[0]
    return name.decode("utf-8", "surrogateescape") or None


def _tlvs(data: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Yield the type of each TLV from `start` on, and where its value begins and ends."""
    count = 0
    while start < len(data):
        count += 1
        if count > MOST_TLVS:
            raise ProxyHeaderInvalid(ProxyFault.TOO_MANY_TLVS)
        end = start + 3 + int.from_bytes(data[start + 1 : start + 3], "big")
        if start + 3 > len(data) or end > len(data):
            raise ProxyHeaderInvalid(ProxyFault.TLV_INVALID)
        yield data[start], start + 3, end
        start = end


def _authority(value: bytes) -> str:
    try:
        if len(value) <= _LONGEST_AUTHORITY:
            return value.decode("utf-8")
    except UnicodeDecodeError:
        pass
    raise ProxyHeaderInvalid(ProxyFault.TLV_INVALID)


def _secured(value: bytes) -> ProxyTLS:
    if len(value) < 5:
        raise ProxyHeaderInvalid(ProxyFault.TLV_INVALID)
    client, verify = value[0], value[1:5]
    details: dict[int, bytes] = {}
    for kind, start, end in _tlvs(value, 5):
        if kind in details:
            raise ProxyHeaderInvalid(ProxyFault.TLV_REPEATED)
        details[kind] = value[start:end]
    certified = bool(client & 0x06)
    return ProxyTLS(bool(client & 0x01), certified, certified and verify == b"\0\0\0\0", details)


def _check(data: bytes, start: int) -> None:
    """Compare the header's checksum: CRC32C (RFC 3720 appendix B.4) of all its bytes, its own four being zero."""
    [(begin, end)] = [(begin, end) for kind, begin, end in _tlvs(data, start) if kind == _CHECKSUM]
    if end - begin != 4:
        raise ProxyHeaderInvalid(ProxyFault.TLV_INVALID)
    checksum = 0xFFFFFFFF
    for octet in data[:begin] + b"\0\0\0\0" + data[end:]:
        checksum = _CRC32C[(checksum ^ octet) & 0xFF] ^ (checksum >> 8)
    if checksum ^ 0xFFFFFFFF != int.from_bytes(data[begin:end], "big"):
        raise ProxyHeaderInvalid(ProxyFault.CHECKSUM_MISMATCH)


def _crc32c_of(octet: int) -> int:
    for _ in range(8):
        octet = (octet >> 1) ^ (0x82F63B78 if octet & 1 else 0)
    return octet


_CRC32C: Final = tuple(map(_crc32c_of, range(256)))
