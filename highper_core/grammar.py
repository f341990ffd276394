"""The character classes and small productions of HTTP/1, judged on bytes.

Nothing here decodes, lowers text or uses `int()` on what a peer sent: a class is 256 bytes, one per octet, 1 where it
belongs. Compiled code copies the tables at import; Python code deletes the members and looks whether anything is left,
which costs one pass in C. A judge returns `Fault.NONE` or the fault, and raises nothing.

Source: RFC 9110 section 5.6, RFC 9112 sections 3 to 5, RFC 3986 sections 2 and 3.
"""

from __future__ import annotations

from typing import Final

from .errors import Fault

__all__ = [
    "FIELD_VALUE",
    "HEXDIG",
    "NOT_A_DIGIT",
    "REG_NAME",
    "TARGET",
    "TOKEN",
    "field_fault",
    "is_authority",
    "is_digits",
    "is_field_value",
    "is_token",
    "list_elements",
    "parse_chunk_line",
    "parse_field_line",
    "parse_request_line",
    "parse_status_line",
    "request_line_fault",
    "target_form_fault",
    "version_fault",
]

ALPHAS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
DIGITS: Final = b"0123456789"
HEXDIGS: Final = DIGITS + b"ABCDEFabcdef"
TCHARS: Final = b"!#$%&'*+-.^_`|~" + DIGITS + ALPHAS
UNRESERVED: Final = ALPHAS + DIGITS + b"-._~"
SUB_DELIMS: Final = b"!$&'()*+,;="
REG_NAME_CHARS: Final = UNRESERVED + SUB_DELIMS + b"%"
TARGET_CHARS: Final = REG_NAME_CHARS + b":@/?[]"  # "#" starts a fragment, which is never sent
FIELD_VALUE_CHARS: Final = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
NOT_A_DIGIT: Final = 255


def _table(members: bytes) -> bytes:
    table = bytearray(256)
    for octet in members:
        table[octet] = 1
    return bytes(table)


TOKEN: Final = _table(TCHARS)
"""tchar, RFC 9110 section 5.6.2."""
TARGET: Final = _table(TARGET_CHARS)
"""Octets of a request-target. Brackets stand for RFC 3986's gen-delims, as browsers leave them bare in a query."""
REG_NAME: Final = _table(REG_NAME_CHARS)
"""reg-name, RFC 3986 section 3.2.2; a percent sign needs two digits behind it besides."""
FIELD_VALUE: Final = _table(FIELD_VALUE_CHARS)
"""HTAB, SP, VCHAR, obs-text, RFC 9110 section 5.5. A reason phrase is made of the same."""
HEXDIG: Final = bytes([NOT_A_DIGIT]) * 48 + bytes(
    [*range(10), *([NOT_A_DIGIT] * 7), *range(10, 16), *([NOT_A_DIGIT] * 26), *range(10, 16), *([NOT_A_DIGIT] * 153)]
)
"""Value of a hexadecimal digit, or NOT_A_DIGIT."""

_MAX_PORT = 65535


def is_token(data: bytes) -> bool:
    """Tell whether `data` is a token: one tchar or more."""
    return bool(data) and not data.translate(None, TCHARS)


def is_digits(data: bytes) -> bool:
    """Tell whether `data` is 1*DIGIT."""
    return bool(data) and not data.translate(None, DIGITS)


def is_field_value(data: bytes) -> bool:
    """Tell whether `data` may stand in a field value or a reason phrase."""
    return not data.translate(None, FIELD_VALUE_CHARS)


def list_elements(values: list[bytes]) -> list[bytes]:
    """Return the elements of a `#rule` field, lower case, empty ones left out (RFC 9110 section 5.6.1)."""
    elements = b",".join(values).lower().split(b",")
    return [element for element in (element.strip(b" \t") for element in elements) if element]


# Start-line


def version_fault(version: bytes) -> Fault:
    """Judge an HTTP-version (RFC 9112 section 2.3): major version 1 is ours."""
    if len(version) != 8 or not version.startswith(b"HTTP/") or version[6:7] != b".":
        return Fault.VERSION_INVALID
    if not is_digits(version[5:6]) or not is_digits(version[7:8]):
        return Fault.VERSION_INVALID
    return Fault.NONE if version[5:6] == b"1" else Fault.VERSION_UNSUPPORTED


def request_line_fault(method: bytes, target: bytes, version: bytes) -> Fault:
    """Judge the three parts of a request-line, in the order in which they are read."""
    if not is_token(method):
        return Fault.METHOD_INVALID
    if target.translate(None, TARGET_CHARS):
        return Fault.TARGET_INVALID
    return version_fault(version) or target_form_fault(method, target)


def parse_request_line(line: bytes) -> tuple[Fault, bytes, bytes, bytes]:
    """Split a request-line without its CRLF.

    Returns:
        fault, method, target, and the version as events carry it, b"1.0" or b"1.1"; the parts are empty on a fault.

    Source: RFC 9112 section 3; stricter than it where whitespace other than a single SP is concerned.
    """
    parts = line.split(b" ")
    if len(parts) != 3 or not all(parts):
        return Fault.REQUEST_LINE_INVALID, b"", b"", b""
    method, target, version = parts
    fault = request_line_fault(method, target, version)
    if fault:
        return fault, b"", b"", b""
    return Fault.NONE, method, target, b"1.0" if version == b"HTTP/1.0" else b"1.1"


def parse_status_line(line: bytes) -> tuple[Fault, int, bytes, bytes]:
    """Split a status-line without its CRLF.

    Returns:
        fault, status code from 100 to 999, reason phrase, and the version as events carry it.

    Source: RFC 9112 section 4. The SP after the status code is demanded, as that section demands it of servers.
    """
    version, space, rest = line.partition(b" ")
    if not space:
        return Fault.STATUS_LINE_INVALID, 0, b"", b""
    fault = version_fault(version)
    if fault:
        return fault, 0, b"", b""
    code, reason = rest[:3], rest[4:]
    if len(code) != 3 or not is_digits(code) or code < b"100" or rest[3:4] != b" " or not is_field_value(reason):
        return Fault.STATUS_LINE_INVALID, 0, b"", b""
    return Fault.NONE, int(code), reason, b"1.0" if version == b"HTTP/1.0" else b"1.1"


# Request-target and Host, RFC 9112 sections 3.2 and RFC 9110 section 7.2


def target_form_fault(method: bytes, target: bytes) -> Fault:
    """Judge the form of a request-target against its method.

    authority-form belongs to CONNECT alone, asterisk-form to OPTIONS alone. An absolute-form needs "://" and an
    authority without userinfo, so that no authority-form passes for one.
    """
    if method == b"CONNECT":
        good = is_authority(target, port_needed=True)
    elif target.startswith(b"/"):
        good = True
    elif target == b"*":
        good = method == b"OPTIONS"
    else:
        scheme, mark, rest = target.partition(b"://")
        authority = rest.split(b"?", 1)[0].split(b"/", 1)[0]
        good = bool(mark) and _is_scheme(scheme) and is_authority(authority, port_needed=False)
    return Fault.NONE if good else Fault.TARGET_FORM_INVALID


def _is_scheme(data: bytes) -> bool:
    return not data[:1].translate(None, ALPHAS) and bool(data) and not data.translate(None, ALPHAS + DIGITS + b"+-.")


def is_authority(data: bytes, *, port_needed: bool) -> bool:
    """Tell whether `data` is a host that is not empty, with or without a port (RFC 3986 section 3.2).

    Args:
        data: what stands in Host or in a request-target.
        port_needed: a port from 1 to 65535 must be there (CONNECT, RFC 9110 section 9.3.6).
    """
    if data.startswith(b"["):
        host, bracket, rest = data[1:].partition(b"]")
        if not bracket or not (_is_ipv6(host) or _is_ip_future(host)) or (rest and not rest.startswith(b":")):
            return False
        colon, port = rest[:1], rest[1:]
    else:
        host, colon, port = data.partition(b":")
        if not host or not _is_reg_name(host):
            return False
    if not port:
        return not port_needed
    if not colon or not is_digits(port) or len(port) > 5 or int(port) > _MAX_PORT:
        return False
    return not port_needed or int(port) > 0


def _is_reg_name(data: bytes) -> bool:
    plain, *encoded = data.split(b"%")
    if any(len(part) < 2 or part[:2].translate(None, HEXDIGS) for part in encoded):
        return False
    return not plain.translate(None, REG_NAME_CHARS) and not b"".join(encoded).translate(None, REG_NAME_CHARS)


def _is_ipv6(data: bytes) -> bool:
    left, elision, right = data.partition(b"::")
    groups = (left.split(b":") if left else []) + (right.split(b":") if right else [])
    count = len(groups)
    if groups and b"." in groups[-1] and (right or not elision):
        if not _is_ipv4(groups.pop()):
            return False
        count += 1
    if not all(0 < len(group) <= 4 and not group.translate(None, HEXDIGS) for group in groups):
        return False
    return count <= 7 if elision else count == 8


def _is_ipv4(data: bytes) -> bool:
    octets = data.split(b".")
    return len(octets) == 4 and all(
        is_digits(octet) and len(octet) <= 3 and int(octet) <= 255 and (octet == b"0" or octet[:1] != b"0")
        for octet in octets
    )


def _is_ip_future(data: bytes) -> bool:
    version, dot, address = data[1:].partition(b".")
    return (
        data[:1] in (b"v", b"V")
        and bool(dot and version and address)
        and not version.translate(None, HEXDIGS)
        and not address.translate(None, UNRESERVED + SUB_DELIMS + b":")
    )


# Field lines, RFC 9112 section 5


def field_fault(name: bytes, value: bytes) -> Fault:
    """Judge a field of ours before it is written."""
    if not name or name.translate(None, TCHARS):
        return Fault.FIELD_NAME_INVALID
    return Fault.FIELD_VALUE_INVALID if value.translate(None, FIELD_VALUE_CHARS) else Fault.NONE


def parse_field_line(line: bytes) -> tuple[Fault, bytes, bytes]:
    """Split a field line without its CRLF into a lower-case name and a value without the whitespace around it."""
    if line[:1] in (b" ", b"\t"):
        return Fault.FIELD_FOLDED, b"", b""
    name, colon, value = line.partition(b":")
    if not colon:
        return Fault.FIELD_LINE_INVALID, b"", b""
    if name[-1:] in (b" ", b"\t"):
        return Fault.FIELD_NAME_SPACE, b"", b""
    value = value.strip(b" \t")
    fault = field_fault(name, value)
    return (fault, b"", b"") if fault else (Fault.NONE, name.lower(), value)


# Chunked coding, RFC 9112 section 7.1


def parse_chunk_line(line: bytes) -> tuple[Fault, int, int]:
    """Read a chunk-size with its extensions, without CRLF.

    Returns:
        fault, size of the chunk, and bytes that the extensions take, their first ";" included.

    Source: RFC 9112 sections 7.1 and 7.1.1; stricter than the latter, as whitespace is refused and so are sizes of more
    than 16 digits.
    """
    size, semicolon, extensions = line.partition(b";")
    if not 0 < len(size) <= 16 or size.translate(None, HEXDIGS):
        return Fault.CHUNK_SIZE_INVALID, 0, 0
    length = len(line) - len(size)
    if semicolon and not _are_chunk_extensions(extensions):
        return Fault.CHUNK_EXTENSION_INVALID, 0, 0
    return Fault.NONE, int(size, 16), length


def _are_chunk_extensions(data: bytes) -> bool:
    """Tell whether `data`, which follows a ";", is chunk-ext-name [ "=" chunk-ext-val ] *( ";" ... )."""
    position, end = 0, len(data)
    while True:
        position, good = _skip_token(data, position)
        if good and data[position : position + 1] == b"=":
            quoted = data[position + 1 : position + 2] == b'"'
            position, good = (_skip_quoted if quoted else _skip_token)(data, position + 1)
        if not good or position == end:
            return good
        if data[position] != 0x3B:
            return False
        position += 1


def _skip_token(data: bytes, position: int) -> tuple[int, bool]:
    start, end = position, len(data)
    while position < end and TOKEN[data[position]]:
        position += 1
    return position, position > start


def _skip_quoted(data: bytes, position: int) -> tuple[int, bool]:
    """Skip a quoted-string that starts at `position` (RFC 9110 section 5.6.4)."""
    position += 1
    end = len(data)
    while position < end:
        octet = data[position]
        if octet == 0x22:
            return position + 1, True
        position += 2 if octet == 0x5C else 1
        if position > end or not FIELD_VALUE[data[position - 1]]:
            return position, False
    return position, False
