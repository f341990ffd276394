"""The decision on a head: where its message ends and what it asks of the connection."""

from __future__ import annotations

from typing import Any

import pytest

from highper_core.errors import Fault
from highper_core.framing import FORBIDDEN_TRAILERS, UNLIMITED, Decision, Framing, decide_request, decide_response


def request(method: bytes = b"GET", version: bytes = b"1.1", limit: int = UNLIMITED, **fields: Any) -> Decision:
    """Decide on a request with Host `a` and the given field values."""
    return decide_request(
        method,
        version,
        fields.get("host", [b"a"]),
        fields.get("length", []),
        fields.get("coding", []),
        fields.get("connection", []),
        fields.get("expect", []),
        fields.get("upgrade", []),
        limit,
    )


def response(status: int, method: bytes = b"GET", version: bytes = b"1.1", **fields: Any) -> Decision:
    """Decide on a response with the given field values."""
    return decide_response(
        method,
        status,
        version,
        fields.get("length", []),
        fields.get("coding", []),
        fields.get("connection", []),
        fields.get("upgrade", []),
        fields.get("proposed", False),
        fields.get("limit", UNLIMITED),
    )


@pytest.mark.parametrize(
    ("version", "hosts", "fault"),
    [
        (b"1.1", [b"a"], Fault.NONE),
        (b"1.1", [b""], Fault.NONE),  # RFC 9112 section 3.2, for a target without authority
        (b"1.1", [], Fault.HOST_MISSING),
        (b"1.1", [b"a", b"a"], Fault.HOST_REPEATED),
        (b"1.1", [b"a, b"], Fault.HOST_INVALID),
        (b"1.0", [], Fault.NONE),
        (b"1.0", [b"a", b"a"], Fault.HOST_REPEATED),
        (b"1.0", [b"a b"], Fault.HOST_INVALID),
    ],
)
def test_host(version: bytes, hosts: list[bytes], fault: Fault) -> None:
    """RFC 9112 section 3.2: exactly one in HTTP/1.1, at most one in HTTP/1.0."""
    assert request(version=version, host=hosts).fault is fault


@pytest.mark.parametrize(
    ("lengths", "fault"),
    [
        ([b"0"], Fault.NONE),
        ([b"007"], Fault.NONE),
        ([b"9" * 18], Fault.NONE),
        ([b"9" * 19], Fault.CONTENT_LENGTH_INVALID),
        ([b""], Fault.CONTENT_LENGTH_INVALID),
        ([b"+5"], Fault.CONTENT_LENGTH_INVALID),
        ([b"-5"], Fault.CONTENT_LENGTH_INVALID),
        ([b"0x5"], Fault.CONTENT_LENGTH_INVALID),
        ([b"5_0"], Fault.CONTENT_LENGTH_INVALID),
        ([b"5 5"], Fault.CONTENT_LENGTH_INVALID),
        ([b"\xd9\xa5"], Fault.CONTENT_LENGTH_INVALID),  # ARABIC-INDIC DIGIT FIVE
        ([b"5, 5"], Fault.CONTENT_LENGTH_REPEATED),
        ([b"5,"], Fault.CONTENT_LENGTH_REPEATED),
        ([b"5", b"5"], Fault.CONTENT_LENGTH_REPEATED),
        ([b"5", b"6"], Fault.CONTENT_LENGTH_REPEATED),
    ],
)
def test_content_length(lengths: list[bytes], fault: Fault) -> None:
    """RFC 9112 section 6.3: one value, digits only; stricter than it where equal values are repeated."""
    decision = request(b"POST", length=lengths)
    assert decision.fault is fault
    if not fault:
        assert (decision.framing, decision.length) == (Framing.KNOWN_LENGTH, int(lengths[0]))


@pytest.mark.parametrize(
    ("codings", "fault"),
    [
        ([b"chunked"], Fault.NONE),
        ([b"ChunKed"], Fault.NONE),
        ([b""], Fault.TRANSFER_ENCODING_INVALID),
        ([b"chunked,"], Fault.TRANSFER_ENCODING_INVALID),
        ([b", chunked"], Fault.TRANSFER_ENCODING_INVALID),
        ([b"chunked", b"chunked"], Fault.TRANSFER_ENCODING_INVALID),
        ([b"chunked, chunked"], Fault.TRANSFER_ENCODING_INVALID),
        ([b"chunked, identity"], Fault.TRANSFER_ENCODING_INVALID),
        ([b"chunked;a=b"], Fault.TRANSFER_ENCODING_INVALID),
        ([b"gzip"], Fault.TRANSFER_ENCODING_INVALID),  # the end of the content would be unknown
        ([b"xchunked"], Fault.TRANSFER_ENCODING_INVALID),
        ([b"chun ked"], Fault.TRANSFER_ENCODING_INVALID),
        ([b"\x0bchunked"], Fault.TRANSFER_ENCODING_INVALID),
        ([b"\xe2\x84\xaachunked"], Fault.TRANSFER_ENCODING_INVALID),
        ([b'"chunked"'], Fault.TRANSFER_ENCODING_INVALID),
        ([b'gzip;a="b,c", chunked'], Fault.TRANSFER_ENCODING_INVALID),
        ([b"gzip, chunked"], Fault.TRANSFER_ENCODING_UNSUPPORTED),
        ([b"gzip;q=1", b"chunked"], Fault.TRANSFER_ENCODING_UNSUPPORTED),
        ([b"identity, chunked"], Fault.TRANSFER_ENCODING_UNSUPPORTED),
        ([b"chunked;a, gzip, chunked"], Fault.TRANSFER_ENCODING_INVALID),
    ],
)
def test_transfer_encoding(codings: list[bytes], fault: Fault) -> None:
    """RFC 9112 sections 6.1 and 7: chunked, last and once."""
    decision = request(b"POST", coding=codings)
    assert decision.fault is fault
    if not fault:
        assert (decision.framing, decision.length) == (Framing.CHUNKED, -1)


def test_order_of_framing_faults() -> None:
    """Transfer-Encoding is judged first, then both together, then Content-Length."""
    both = {"coding": [b"chunked"], "length": [b"x"]}
    assert request(b"POST", **both).fault is Fault.CONTENT_LENGTH_WITH_TRANSFER_ENCODING
    assert request(b"POST", b"1.0", **both).fault is Fault.TRANSFER_ENCODING_IN_HTTP_1_0
    assert request(b"POST", coding=[b""], length=[b"5"]).fault is Fault.TRANSFER_ENCODING_INVALID
    assert request(b"POST", length=[b"5"], expect=[b"x"], limit=4).fault is Fault.CONTENT_TOO_LARGE
    assert request(b"POST", length=[b"4"], expect=[b"x"], connection=[b"@"], limit=4).fault is Fault.EXPECTATION_UNKNOWN
    assert request(b"POST", length=[b"4"], connection=[b"@"], limit=4).fault is Fault.CONNECTION_INVALID


def test_request_without_framing_fields_has_no_content() -> None:
    """RFC 9112 section 6.3, rule 7."""
    decision = request(b"POST")
    assert (decision.framing, decision.length) == (Framing.KNOWN_LENGTH, 0)


def test_connect_has_no_content() -> None:
    """A CONNECT that announces content could be read in two ways (RFC 9110 section 9.3.6)."""
    assert request(b"CONNECT").fault is Fault.NONE
    assert request(b"CONNECT", length=[b"0"]).fault is Fault.CONTENT_LENGTH_INVALID
    assert request(b"CONNECT", coding=[b"chunked"], length=[b"0"]).fault is Fault.TRANSFER_ENCODING_INVALID
    assert request(b"CONNECT", b"1.0", coding=[b"chunked"]).fault is Fault.TRANSFER_ENCODING_IN_HTTP_1_0


@pytest.mark.parametrize(
    ("version", "expectations", "fault", "waits"),
    [
        (b"1.1", [b"100-continue"], Fault.NONE, True),
        (b"1.1", [b"100-Continue"], Fault.NONE, True),
        (b"1.1", [b"100-continue, 100-continue"], Fault.NONE, True),
        (b"1.1", [b""], Fault.EXPECTATION_UNKNOWN, False),
        (b"1.1", [b"100-continue, x"], Fault.EXPECTATION_UNKNOWN, False),
        (b"1.1", [b"100-continue;a"], Fault.EXPECTATION_UNKNOWN, False),
        (b"1.0", [b"x"], Fault.NONE, False),
    ],
)
def test_expect(version: bytes, expectations: list[bytes], fault: Fault, waits: bool) -> None:
    """RFC 9110 section 10.1.1; ignored in HTTP/1.0."""
    decision = request(b"POST", version, length=[b"5"], expect=expectations)
    assert (decision.fault, decision.expect_continue) == (fault, waits)


def test_expect_without_content_waits_for_nothing() -> None:
    """Nobody holds back what there is not."""
    assert not request(b"POST", length=[b"0"], expect=[b"100-continue"]).expect_continue
    assert request(b"POST", coding=[b"chunked"], expect=[b"100-continue"]).expect_continue


@pytest.mark.parametrize(
    ("version", "connections", "keep_alive"),
    [
        (b"1.1", [], True),
        (b"1.1", [b"keep-alive"], True),
        (b"1.1", [b"Close"], False),
        (b"1.1", [b"a,,", b"\tCLOSE "], False),
        (b"1.1", [b"closed"], True),
        (b"1.0", [], False),
        (b"1.0", [b"keep-alive"], False),  # answered and closed
    ],
)
def test_persistence(version: bytes, connections: list[bytes], keep_alive: bool) -> None:
    """RFC 9112 section 9.3."""
    assert request(version=version, connection=connections).keep_alive is keep_alive


@pytest.mark.parametrize(
    ("fields", "proposed"),
    [
        ({"upgrade": [b"websocket"], "connection": [b"keep-alive, Upgrade"]}, True),
        ({"upgrade": [b"h2c/1, a"], "connection": [b"upgrade"]}, True),
        ({"upgrade": [b"websocket"]}, False),
        ({"connection": [b"upgrade"]}, False),
        ({"upgrade": [b""], "connection": [b"upgrade"]}, False),
        ({"upgrade": [b"websocket"], "connection": [b"upgrade"], "version": b"1.0"}, False),
        ({"upgrade": [b"a b"], "connection": [b"upgrade"], "version": b"1.0"}, False),
    ],
)
def test_upgrade(fields: dict[str, Any], proposed: bool) -> None:
    """RFC 9110 section 7.8: named in Connection too, and never in HTTP/1.0."""
    decision = request(**fields)
    assert (decision.fault, decision.upgrade_proposed) == (Fault.NONE, proposed)


@pytest.mark.parametrize(
    "fields",
    [
        {"connection": [b"a b"]},
        {"connection": [b'"close"']},
        {"upgrade": [b"a b"]},
        {"upgrade": [b"a/"]},
        {"upgrade": [b"/1"]},
        {"upgrade": [b"a/1/2"]},
    ],
)
def test_malformed_connection(fields: dict[str, Any]) -> None:
    """A Connection or Upgrade that is no list of tokens."""
    assert request(**fields).fault is Fault.CONNECTION_INVALID
    assert response(200, **fields).fault is Fault.CONNECTION_INVALID


@pytest.mark.parametrize(
    ("decision", "framing", "length", "keep_alive"),
    [
        (response(200), Framing.CLOSE_DELIMITED, -1, False),
        (response(200, length=[b"5"]), Framing.KNOWN_LENGTH, 5, True),
        (response(200, coding=[b"chunked"]), Framing.CHUNKED, -1, True),
        (response(200, version=b"1.0", length=[b"5"]), Framing.KNOWN_LENGTH, 5, False),
        (response(200, b"HEAD", length=[b"5"]), Framing.NONE, 0, True),
        (response(200, b"HEAD", coding=[b"chunked"]), Framing.NONE, 0, True),
        (response(304, length=[b"5"]), Framing.NONE, 0, True),
        (response(304, coding=[b"chunked"]), Framing.NONE, 0, True),
        (response(204), Framing.NONE, 0, True),
        (response(204, length=[b"0"]), Framing.NONE, 0, True),
        (response(100, connection=[b"close"]), Framing.NONE, 0, True),
        (response(101, proposed=True), Framing.NONE, 0, True),
        (response(200, b"CONNECT"), Framing.NONE, 0, True),
        (response(404, b"CONNECT", length=[b"5"]), Framing.KNOWN_LENGTH, 5, True),
        (response(200, connection=[b"close"], length=[b"5"]), Framing.KNOWN_LENGTH, 5, False),
        (response(200, limit=5, length=[b"5"]), Framing.KNOWN_LENGTH, 5, True),
        (response(304, limit=4, length=[b"5"]), Framing.NONE, 0, True),
    ],
)
def test_response(decision: Decision, framing: Framing, length: int, keep_alive: bool) -> None:
    """RFC 9112 section 6.3, in its order."""
    assert decision.fault is Fault.NONE
    assert (decision.framing, decision.length, decision.keep_alive) == (framing, length, keep_alive)


@pytest.mark.parametrize(
    ("decision", "fault"),
    [
        (response(100, coding=[b"chunked"]), Fault.TRANSFER_ENCODING_FORBIDDEN),
        (response(204, coding=[b"chunked"]), Fault.TRANSFER_ENCODING_FORBIDDEN),
        (response(204, version=b"1.0", coding=[b"chunked"]), Fault.TRANSFER_ENCODING_IN_HTTP_1_0),
        (response(200, b"CONNECT", coding=[b"chunked"]), Fault.TRANSFER_ENCODING_FORBIDDEN),
        (response(200, version=b"1.0", coding=[b"chunked"]), Fault.TRANSFER_ENCODING_IN_HTTP_1_0),
        (response(200, coding=[b"gzip"]), Fault.TRANSFER_ENCODING_INVALID),
        (response(200, coding=[b"chunked"], length=[b"5"]), Fault.CONTENT_LENGTH_WITH_TRANSFER_ENCODING),
        (response(304, length=[b"x"]), Fault.CONTENT_LENGTH_INVALID),
        (response(200, b"HEAD", length=[b"5", b"5"]), Fault.CONTENT_LENGTH_REPEATED),
        (response(200, limit=4, length=[b"5"]), Fault.CONTENT_TOO_LARGE),
        (response(101), Fault.DATA_UNEXPECTED),
    ],
)
def test_refused_response(decision: Decision, fault: Fault) -> None:
    """What a client does not take from a server."""
    assert decision.fault is fault


def test_trailers_that_would_change_the_message() -> None:
    """RFC 9110 section 6.5.1: framing, routing, authentication and content fields come too late there."""
    assert {b"transfer-encoding", b"content-length", b"host", b"authorization", b"content-type"} <= FORBIDDEN_TRAILERS
    assert not {b"etag", b"digest", b"server-timing", b"x-checksum"} & FORBIDDEN_TRAILERS
