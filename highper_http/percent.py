"""Percent-encoding, strict where routing depends on it (RFC 3986 sections 2.1 and 6.2.2).

`decode` and `normalise` raise ValueError for a malformed triplet; both are linear. Unreserved characters mean the
same encoded or not, so `normalise` decodes exactly those and writes every other triplet in capitals: two paths that
RFC 3986 calls equivalent become equal bytes, and no delimiter is ever uncovered.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["decode", "decode_lenient", "decode_text", "encode", "encode_path", "normalise"]

_UNRESERVED: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_SEGMENT: Final = _UNRESERVED + b"!$&'()*+,;=:@"  # pchar, RFC 3986 section 3.3


def _pairs() -> dict[bytes, int]:
    digits = b"0123456789abcdefABCDEF"
    return {bytes((high, low)): int(bytes((high, low)), 16) for high in digits for low in digits}


_VALUES: Final = _pairs()
_OCTETS: Final = {pair: bytes((value,)) for pair, value in _VALUES.items()}
_NORMAL: Final = {
    pair: bytes((value,)) if value in _UNRESERVED else b"%%%02X" % value for pair, value in _VALUES.items()
}
_TRIPLET: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_ENCODED: Final = [chr(octet) if octet in _SEGMENT else f"%{octet:02X}" for octet in range(256)]


def decode(data: bytes) -> bytes:
    """Return `data` with every triplet replaced by its octet.

    Raises:
        ValueError: a `%` is not followed by two hexadecimal digits.
    """
    return _replace(data, _OCTETS) if b"%" in data else data


def decode_lenient(data: bytes) -> bytes:
    """Return `data` with every well-formed triplet replaced; any other `%` stays.

    Cost: linear, and nearly nothing for what stays.
    """
    return _TRIPLET.sub(_octet, data) if b"%" in data else data


def decode_text(data: bytes) -> str:
    """Return `data` decoded, as UTF-8 text.

    Raises:
        ValueError: malformed triplet, or octets that are not UTF-8.
    """
    return decode(data).decode()


def normalise(path: bytes) -> bytes:
    """Return the form that all equivalent spellings of `path` share.

    Raises:
        ValueError: malformed triplet, octets that are not UTF-8, or an encoded NUL, which no two file systems or
            languages read alike.

    Source: RFC 3986 sections 6.2.2.1 and 6.2.2.2.
    """
    if "\0" in decode_text(path):
        raise ValueError("encoded NUL")
    return _replace(path, _NORMAL)


def encode(text: str) -> str:
    """Return `text` as one path segment: everything but `pchar` is encoded, a slash too."""
    return "".join([_ENCODED[octet] for octet in text.encode()])


def encode_path(text: str) -> str:
    """Return `text` as several path segments: slashes stay."""
    return encode(text).replace("%2F", "/")


def _octet(triplet: re.Match[bytes]) -> bytes:
    return _OCTETS[triplet[1]]


def _replace(data: bytes, table: dict[bytes, bytes]) -> bytes:
    parts = data.split(b"%")
    pieces = [parts[0]]
    for part in parts[1:]:
        piece = table.get(part[:2])
        if piece is None:
            raise ValueError("malformed percent-encoding")
        pieces.append(piece)
        pieces.append(part[2:])
    return b"".join(pieces)
