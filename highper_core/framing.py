"""Where a message ends, and what its head asks of the connection: one decision, shared by every engine.

The two functions take the raw values of the fields that matter, in order, and return a `Decision`. They raise nothing:
a broken rule is `Decision.fault`. The same judge serves what a peer sent and what we are about to send, so what we
refuse to read we also refuse to write.

    known length     content-length, or a message that has none (0)
    chunked          transfer-encoding: chunked, exactly
    close-delimited  a response without either: it ends with the connection
    none             the status or the request method forbids content

Source: RFC 9112 sections 3.2, 6, 7.1.2 and 9; RFC 9110 sections 7.8 and 10.1.1.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from . import grammar
from .errors import Fault
from .status import forbids_content

__all__ = [
    "FORBIDDEN_TRAILERS",
    "MAX_LENGTH_DIGITS",
    "UNLIMITED",
    "Decision",
    "Framing",
    "decide_request",
    "decide_response",
]

UNLIMITED: Final = -1
MAX_LENGTH_DIGITS: Final = 18  # the most that always fits a signed 64-bit integer

FORBIDDEN_TRAILERS: Final = frozenset(
    b"""
    transfer-encoding content-length connection keep-alive proxy-connection te trailer upgrade expect
    host max-forwards cache-control pragma range
    if-match if-none-match if-modified-since if-unmodified-since if-range
    authorization proxy-authorization www-authenticate proxy-authenticate cookie set-cookie
    content-encoding content-type content-range
    """.split()
)
"""Lower-case names that no trailer section may hold: framing and the connection, routing and request modifiers,
authentication and state, how the content is to be read (RFC 9110 section 6.5.1)."""


class Framing(IntEnum):
    """How the end of a message body is found (RFC 9112 section 6.3)."""

    NONE = 0
    KNOWN_LENGTH = 1
    CHUNKED = 2
    CLOSE_DELIMITED = 3


class Decision:
    """What the fields of a head amount to.

    Attributes:
        fault: the broken rule; when it is not NONE, the rest means nothing.
        framing: how the body is delimited.
        length: bytes of content, 0 for none, -1 when not known in advance.
        keep_alive: this message lets the connection persist.
        expect_continue: the client waits for a 100 before it sends its content.
        upgrade_proposed: the message names protocols to switch to.
    """

    __slots__ = ("fault", "framing", "length", "keep_alive", "expect_continue", "upgrade_proposed")

    def __init__(self) -> None:
        self.fault = Fault.NONE
        self.framing = Framing.NONE
        self.length = 0
        self.keep_alive = True
        self.expect_continue = False
        self.upgrade_proposed = False


def decide_request(
    method: bytes,
    http_version: bytes,
    hosts: list[bytes],
    content_lengths: list[bytes],
    transfer_encodings: list[bytes],
    connections: list[bytes],
    expectations: list[bytes],
    upgrades: list[bytes],
    content_limit: int = UNLIMITED,
) -> Decision:
    """Decide on a request.

    Args:
        method: as received.
        http_version: b"1.0" or b"1.1".
        hosts, content_lengths, transfer_encodings, connections, expectations, upgrades: values of the fields Host,
            Content-Length, Transfer-Encoding, Connection, Expect and Upgrade, one per field line.
        content_limit: `Limits.content`, or UNLIMITED.
    """
    decision = Decision()
    modern = http_version != b"1.0"
    decision.fault = _host_fault(hosts, modern)
    if decision.fault:
        return decision
    if method == b"CONNECT" and (transfer_encodings or content_lengths):
        decision.fault = Fault.TRANSFER_ENCODING_INVALID if transfer_encodings else Fault.CONTENT_LENGTH_INVALID
        if transfer_encodings and not modern:
            decision.fault = Fault.TRANSFER_ENCODING_IN_HTTP_1_0
        return decision
    decision.framing = Framing.KNOWN_LENGTH
    _decide_length(decision, modern, content_lengths, transfer_encodings, content_limit)
    if decision.fault:
        return decision
    if modern and expectations:
        if any(element.strip(b" \t").lower() != b"100-continue" for element in b",".join(expectations).split(b",")):
            decision.fault = Fault.EXPECTATION_UNKNOWN
            return decision
        decision.expect_continue = decision.length != 0
    _decide_persistence(decision, modern, connections, upgrades)
    return decision


def decide_response(
    request_method: bytes,
    status_code: int,
    http_version: bytes,
    content_lengths: list[bytes],
    transfer_encodings: list[bytes],
    connections: list[bytes],
    upgrades: list[bytes],
    switch_proposed: bool = False,
    content_limit: int = UNLIMITED,
) -> Decision:
    """Decide on a response, interim or final.

    Args:
        request_method: of the request it answers; b"" when unknown.
        status_code: 100 to 999.
        http_version: b"1.0" or b"1.1".
        content_lengths, transfer_encodings, connections, upgrades: field values as in `decide_request`.
        switch_proposed: the request proposed an upgrade; a 101 without that is a response nobody asked for.
        content_limit: `Limits.content`, or UNLIMITED.
    """
    decision = Decision()
    modern = http_version != b"1.0"
    tunnel = request_method == b"CONNECT" and 200 <= status_code < 300
    if transfer_encodings and modern and (status_code < 200 or status_code == 204 or tunnel):
        decision.fault = Fault.TRANSFER_ENCODING_FORBIDDEN
        return decision
    if status_code == 101 and not switch_proposed:
        decision.fault = Fault.DATA_UNEXPECTED
        return decision
    bodiless = tunnel or request_method == b"HEAD" or forbids_content(status_code)
    decision.framing = Framing.CLOSE_DELIMITED
    decision.length = -1
    _decide_length(decision, modern, content_lengths, transfer_encodings, UNLIMITED if bodiless else content_limit)
    if decision.fault:
        return decision
    if bodiless:
        decision.framing = Framing.NONE
        decision.length = 0
    _decide_persistence(decision, modern, connections, upgrades)
    if decision.framing == Framing.CLOSE_DELIMITED:
        decision.keep_alive = False
    if status_code < 200:
        decision.keep_alive = True
    return decision


def _host_fault(hosts: list[bytes], modern: bool) -> Fault:
    if not hosts:
        return Fault.HOST_MISSING if modern else Fault.NONE
    if len(hosts) > 1:
        return Fault.HOST_REPEATED
    # An empty value is what a target without authority asks for (RFC 9112 section 3.2).
    if hosts[0] and not grammar.is_authority(hosts[0], port_needed=False):
        return Fault.HOST_INVALID
    return Fault.NONE


def _decide_length(
    decision: Decision, modern: bool, content_lengths: list[bytes], transfer_encodings: list[bytes], limit: int
) -> None:
    if transfer_encodings:
        if not modern:
            decision.fault = Fault.TRANSFER_ENCODING_IN_HTTP_1_0
        else:
            decision.fault = _transfer_encoding_fault(transfer_encodings)
        if not decision.fault and content_lengths:
            decision.fault = Fault.CONTENT_LENGTH_WITH_TRANSFER_ENCODING
        decision.framing = Framing.CHUNKED
        decision.length = -1
    elif content_lengths:
        value = content_lengths[0]
        if len(content_lengths) > 1 or b"," in value:
            decision.fault = Fault.CONTENT_LENGTH_REPEATED
        elif not grammar.is_digits(value) or len(value) > MAX_LENGTH_DIGITS:
            decision.fault = Fault.CONTENT_LENGTH_INVALID
        else:
            decision.framing = Framing.KNOWN_LENGTH
            decision.length = int(value)
            if 0 <= limit < decision.length:
                decision.fault = Fault.CONTENT_TOO_LARGE


def _transfer_encoding_fault(values: list[bytes]) -> Fault:
    """Judge Transfer-Encoding: `chunked` alone is understood.

    chunked must be last and stand once, without parameters; without it the end of the body is unknown. Empty list
    elements and quoted parameters are refused as malformed, since readers differ on them.
    """
    codings = [coding.strip(b" \t").lower() for coding in b",".join(values).split(b",")]
    if codings == [b"chunked"]:
        return Fault.NONE
    names = [coding.partition(b";")[0].rstrip(b" \t") for coding in codings]
    if not all(grammar.is_token(name) for name in names) or any(b'"' in coding for coding in codings):
        return Fault.TRANSFER_ENCODING_INVALID
    if codings[-1] != b"chunked" or b"chunked" in names[:-1]:
        return Fault.TRANSFER_ENCODING_INVALID
    return Fault.TRANSFER_ENCODING_UNSUPPORTED


def _decide_persistence(decision: Decision, modern: bool, connections: list[bytes], upgrades: list[bytes]) -> None:
    """Read Connection and Upgrade. HTTP/1.0 does not persist and cannot upgrade."""
    options = grammar.list_elements(connections) if connections else []
    if not all(grammar.is_token(option) for option in options):
        decision.fault = Fault.CONNECTION_INVALID
        return
    decision.keep_alive = modern and b"close" not in options
    if not modern or not upgrades:
        return
    protocols = grammar.list_elements(upgrades)
    for protocol in protocols:
        name, slash, version = protocol.partition(b"/")
        if not grammar.is_token(name) or (slash and not grammar.is_token(version)):
            decision.fault = Fault.CONNECTION_INVALID
            return
    decision.upgrade_proposed = bool(protocols) and b"upgrade" in options
