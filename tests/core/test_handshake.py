"""The opening handshake of both sides, against each other and against what is no handshake."""

from __future__ import annotations

import base64
from itertools import product

import pytest

from highper_core import NEED_DATA, PAUSED, Fault, HttpConnection, LocalProtocolError, Role
from highper_core.errors import HandshakeError
from highper_core.events import InformationalResponse, Request, Response
from highper_core.handshake import (
    ClientOpening,
    Opening,
    accept_value,
    denial,
    parse_extensions,
    read_opening,
    refusal,
)
from highper_core.limits import Limits
from highper_core.permessage_deflate import DeflateSettings

NONCE = b"the sample nonce"
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 section 1.3
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
FIELDS = [
    (b"host", b"a"),
    (b"upgrade", b"websocket"),
    (b"connection", b"Upgrade"),
    (b"sec-websocket-key", KEY),
    (b"sec-websocket-version", b"13"),
]


def request(*changes: tuple[bytes, bytes | None], method: bytes = b"GET", version: bytes = b"1.1") -> Request:
    """A good request, with fields replaced, added, or (None) taken away."""
    names = {name for name, _ in changes}
    lines = [line for line in FIELDS if line[0] not in names]
    lines += [(name, value) for name, value in changes if value is not None]
    return Request(method=method, target=b"/chat", headers=lines, http_version=version)


def fault_of(asked: Request) -> Fault:
    with pytest.raises(HandshakeError) as caught:
        read_opening(asked)
    return caught.value.fault


def test_the_rfcs_example() -> None:
    """The key of section 1.3 and its proof."""
    assert accept_value(KEY) == ACCEPT
    asked = request((b"origin", b"http://example.com"), (b"sec-websocket-protocol", b"chat, superchat"))
    opening = read_opening(asked)
    assert (opening.key, opening.subprotocols, opening.extensions) == (KEY, ("chat", "superchat"), [])
    assert opening.origin == b"http://example.com"
    acceptance = opening.accept("chat")
    assert acceptance.response == InformationalResponse(
        status_code=101,
        headers=[
            (b"upgrade", b"websocket"),
            (b"connection", b"upgrade"),
            (b"sec-websocket-accept", ACCEPT),
            (b"sec-websocket-protocol", b"chat"),
        ],
    )
    assert (acceptance.subprotocol, acceptance.deflate) == ("chat", None)


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [(b"upgrade", b"WebSocket")],
        [(b"upgrade", b"h2c, websocket")],
        [(b"connection", b"keep-alive, Upgrade")],
        [(b"connection", b"keep-alive"), (b"connection", b"upgrade")],
        [(b"sec-websocket-protocol", b"a"), (b"sec-websocket-protocol", b", b,")],
        [(b"sec-websocket-extensions", b'x; y="z"; w, x')],
        [(b"sec-websocket-key", b"/" * 22 + b"==")],
        [(b"origin", None)],
    ],
)
def test_what_is_a_handshake(changes: list[tuple[bytes, bytes | None]]) -> None:
    """Any case of the tokens, any order, lists in one line or several."""
    assert isinstance(read_opening(request(*changes)), Opening)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ([(b"upgrade", None)], Fault.HANDSHAKE_UPGRADE_MISSING),
        ([(b"upgrade", b"websockets")], Fault.HANDSHAKE_UPGRADE_MISSING),
        ([(b"connection", None)], Fault.HANDSHAKE_UPGRADE_MISSING),
        ([(b"connection", b"keep-alive")], Fault.HANDSHAKE_UPGRADE_MISSING),
        ([(b"sec-websocket-version", None)], Fault.HANDSHAKE_VERSION_UNSUPPORTED),
        ([(b"sec-websocket-version", b"8")], Fault.HANDSHAKE_VERSION_UNSUPPORTED),
        ([(b"sec-websocket-version", b"+13")], Fault.HANDSHAKE_VERSION_UNSUPPORTED),
        ([(b"sec-websocket-version", b"13, 8")], Fault.HANDSHAKE_VERSION_UNSUPPORTED),
        ([(b"sec-websocket-version", b"13"), (b"sec-websocket-version", b"13")], Fault.HANDSHAKE_VERSION_UNSUPPORTED),
        ([(b"sec-websocket-key", None)], Fault.HANDSHAKE_KEY_INVALID),
        ([(b"sec-websocket-key", b"")], Fault.HANDSHAKE_KEY_INVALID),
        ([(b"sec-websocket-key", KEY), (b"sec-websocket-key", KEY)], Fault.HANDSHAKE_KEY_INVALID),
        ([(b"sec-websocket-key", base64.b64encode(b"15 bytes of key"))], Fault.HANDSHAKE_KEY_INVALID),
        ([(b"sec-websocket-key", base64.b64encode(b"17 bytes of a key"))], Fault.HANDSHAKE_KEY_INVALID),
        ([(b"sec-websocket-key", KEY[:-2] + b"=")], Fault.HANDSHAKE_KEY_INVALID),
        ([(b"sec-websocket-key", b"-" + KEY[1:])], Fault.HANDSHAKE_KEY_INVALID),
        ([(b"sec-websocket-key", b"\xff" * 24)], Fault.HANDSHAKE_KEY_INVALID),
        ([(b"sec-websocket-protocol", b"")], Fault.HANDSHAKE_SUBPROTOCOL_INVALID),
        ([(b"sec-websocket-protocol", b"a b")], Fault.HANDSHAKE_SUBPROTOCOL_INVALID),
        ([(b"sec-websocket-protocol", b"a, a")], Fault.HANDSHAKE_SUBPROTOCOL_INVALID),
        ([(b"sec-websocket-protocol", b"a"), (b"sec-websocket-protocol", b"a")], Fault.HANDSHAKE_SUBPROTOCOL_INVALID),
        ([(b"sec-websocket-protocol", b"caf\xc3\xa9")], Fault.HANDSHAKE_SUBPROTOCOL_INVALID),
        ([(b"sec-websocket-extensions", b"")], Fault.HANDSHAKE_EXTENSION_INVALID),
        ([(b"sec-websocket-extensions", b"a; ")], Fault.HANDSHAKE_EXTENSION_INVALID),
        ([(b"sec-websocket-extensions", b'a; b="c')], Fault.HANDSHAKE_EXTENSION_INVALID),
        ([(b"sec-websocket-extensions", b'a; b="c d"')], Fault.HANDSHAKE_EXTENSION_INVALID),
        ([(b"sec-websocket-extensions", b"a; b=")], Fault.HANDSHAKE_EXTENSION_INVALID),
        ([(b"sec-websocket-extensions", b"a b")], Fault.HANDSHAKE_EXTENSION_INVALID),
        ([(b"sec-websocket-extensions", b"\xe9")], Fault.HANDSHAKE_EXTENSION_INVALID),
    ],
)
def test_what_is_no_handshake(changes: list[tuple[bytes, bytes | None]], fault: Fault) -> None:
    """Is refused by the rule it breaks."""
    assert fault_of(request(*changes)) is fault


def test_only_get_and_only_http_1_1() -> None:
    """RFC 6455 section 4.2.1."""
    assert fault_of(request(method=b"POST")) is Fault.HANDSHAKE_METHOD_INVALID
    assert fault_of(request(version=b"1.0")) is Fault.HANDSHAKE_UPGRADE_MISSING


@pytest.mark.parametrize("field", ["key", "version", "protocol", "extensions", "accept"])
@pytest.mark.parametrize("octet", range(256))
def test_no_octet_anywhere_does_more_than_refuse(field: str, octet: int) -> None:
    """A field that the peer made up costs one connection, on either side (CVE-2026-42544)."""
    name = b"sec-websocket-" + field.encode()
    asked = request((name, bytes((octet,)) + b"abc"))
    try:
        opening = read_opening(asked)
    except HandshakeError as error:
        status = refusal(error.fault)[0].status_code
    else:
        status = 101
        opening.accept(opening.subprotocols[0] if opening.subprotocols else None, deflate=DeflateSettings())
    assert status in (101, 400, 426)
    calling = ClientOpening(b"a", b"/", nonce=NONCE, subprotocols=["abc"], deflate=DeflateSettings())
    answer = [(b"upgrade", b"websocket"), (b"connection", b"upgrade"), (b"sec-websocket-accept", ACCEPT)]
    answer = [line for line in answer if line[0] != name] + [(name, bytes((octet,)) + b"abc")]
    if field in ("protocol", "extensions", "accept"):
        with pytest.raises(HandshakeError):
            calling.judge(InformationalResponse(status_code=101, headers=answer))


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault.name.startswith("HANDSHAKE_")])
def test_refusals(fault: Fault) -> None:
    """Each is a whole answer, and says what would have been right where there is a field for it."""
    head, content = refusal(fault)
    assert head.status_code == (fault.status_hint or 400)
    assert content == fault.name.lower().replace("_", " ").encode()
    assert head.headers.first(b"content-type") == b"text/plain; charset=utf-8"
    assert (head.headers.first(b"allow") == b"GET") is (head.status_code == 405)
    assert (head.headers.first(b"sec-websocket-version") == b"13") is (head.status_code == 426)
    connection = HttpConnection(Role.SERVER)
    connection.receive_data(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    connection.next_event()
    connection.send_message(head, content)
    assert connection.data_to_send().endswith(content)


def test_denials() -> None:
    """With a body of any kind, or none."""
    assert denial(404) == (Response(status_code=404), b"")
    head, content = denial(403, b"{}", headers=[(b"Content-Type", b"application/json")])
    assert (list(head.headers), content) == ([(b"Content-Type", b"application/json")], b"{}")


def test_acceptance_is_checked() -> None:
    """A subprotocol that was not named, and fields of the handshake's own, are mistakes of ours."""
    opening = read_opening(request((b"sec-websocket-protocol", b"a")))
    with pytest.raises(LocalProtocolError):
        opening.accept("b")
    for name in (b"Upgrade", b"sec-websocket-accept", b"Sec-WebSocket-Extensions", b"content-length"):
        with pytest.raises(LocalProtocolError):
            opening.accept(headers=[(name, b"x")])
    assert opening.accept(headers=[(b"set-cookie", b"a=b")]).response.headers[-1] == (b"set-cookie", b"a=b")


# The client's side


def test_what_a_client_asks() -> None:
    """The fields of section 4.1, and further ones."""
    calling = ClientOpening(b"a:1", b"/b?c", nonce=NONCE, subprotocols=["x", "y"], headers=[(b"origin", b"null")])
    assert calling.request == Request(
        method=b"GET",
        target=b"/b?c",
        headers=[
            (b"host", b"a:1"),
            (b"upgrade", b"websocket"),
            (b"connection", b"upgrade"),
            (b"sec-websocket-key", KEY),
            (b"sec-websocket-version", b"13"),
            (b"sec-websocket-protocol", b"x, y"),
            (b"origin", b"null"),
        ],
    )
    assert calling.deadline(5.0) == 15.0
    bounded = ClientOpening(b"a", b"/", nonce=NONCE, limits=Limits(websocket_handshake_timeout=1))
    assert bounded.deadline(5.0) == 6.0


def test_what_a_client_must_not_ask() -> None:
    """Another nonce, subprotocols that are no tokens or the same, fields of the handshake's own."""
    with pytest.raises(ValueError, match="16 bytes"):
        ClientOpening(b"a", b"/", nonce=b"short")
    for names in (["a", "a"], [""], ["a b"], ["é"], ["\ud800"]):
        with pytest.raises(LocalProtocolError):
            ClientOpening(b"a", b"/", nonce=NONCE, subprotocols=names)
    with pytest.raises(LocalProtocolError):
        ClientOpening(b"a", b"/", nonce=NONCE, headers=[(b"Sec-WebSocket-Key", KEY)])


ANSWER = [(b"upgrade", b"WebSocket"), (b"connection", b"Upgrade"), (b"sec-websocket-accept", ACCEPT)]


@pytest.mark.parametrize(
    ("index", "fault"),
    [(0, Fault.HANDSHAKE_UPGRADE_MISSING), (1, Fault.HANDSHAKE_UPGRADE_MISSING), (2, Fault.HANDSHAKE_ACCEPT_INVALID)],
)
def test_every_field_of_the_answer_counts(index: int, fault: Fault) -> None:
    """Without one of them there is no WebSocket."""
    calling = ClientOpening(b"a", b"/", nonce=NONCE)
    for lines in (
        ANSWER[:index] + ANSWER[index + 1 :],
        [*ANSWER[:index], (ANSWER[index][0], b"x"), *ANSWER[index + 1 :]],
    ):
        with pytest.raises(HandshakeError) as caught:
            calling.judge(InformationalResponse(status_code=101, headers=lines))
        assert caught.value.fault is fault
    accepted = calling.judge(InformationalResponse(status_code=101, headers=ANSWER))
    assert accepted is not None
    assert (accepted.subprotocol, accepted.deflate) == (None, None)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ((b"sec-websocket-protocol", b"b"), Fault.HANDSHAKE_SUBPROTOCOL_INVALID),
        ((b"sec-websocket-protocol", b"a, c"), Fault.HANDSHAKE_SUBPROTOCOL_INVALID),
        ((b"sec-websocket-extensions", b"permessage-deflate"), Fault.HANDSHAKE_EXTENSION_INVALID),
        ((b"sec-websocket-extensions", b"a;"), Fault.HANDSHAKE_EXTENSION_INVALID),
    ],
)
def test_what_was_not_asked_for_is_refused(line: tuple[bytes, bytes], fault: Fault) -> None:
    """A server that chooses what nobody offered is not understood."""
    calling = ClientOpening(b"a", b"/", nonce=NONCE, subprotocols=["a", "c"])
    with pytest.raises(HandshakeError) as caught:
        calling.judge(InformationalResponse(status_code=101, headers=[*ANSWER, line]))
    assert caught.value.fault is fault


def test_other_answers() -> None:
    """An interim response decides nothing, a final one denies."""
    calling = ClientOpening(b"a", b"/", nonce=NONCE)
    assert calling.judge(InformationalResponse(status_code=103)) is None
    with pytest.raises(HandshakeError, match="answered 200") as caught:
        calling.judge(Response(status_code=200))
    assert (caught.value.fault, caught.value.status_hint) == (Fault.HANDSHAKE_DENIED, None)


@pytest.mark.parametrize("settings", [None, DeflateSettings(), DeflateSettings(client_max_window_bits=10)])
def test_both_sides_meet(engine_name: str, settings: DeflateSettings | None) -> None:
    """Through two HTTP connections, with what follows the 101 handed over on either side."""
    calling = ClientOpening(b"a", b"/", nonce=NONCE, subprotocols=["x", "y"], deflate=settings)
    client, server = HttpConnection(Role.CLIENT, engine_name), HttpConnection(Role.SERVER, engine_name)
    client.send_message(calling.request)
    server.receive_data(client.data_to_send() + b"early")
    asked = server.next_event()
    assert isinstance(asked, Request)
    while server.next_event() is not PAUSED:
        pass
    accepted = read_opening(asked).accept("y", deflate=settings)
    server.send(accepted.response)
    assert server.trailing_data == (b"early", False)
    client.receive_data(server.data_to_send() + b"first")
    answer = client.next_event()
    assert answer is not NEED_DATA
    assert isinstance(answer, InformationalResponse)
    agreed = calling.judge(answer)
    assert agreed is not None
    assert (agreed.subprotocol, client.trailing_data) == ("y", (b"first", False))
    ours, theirs = accepted.deflate, agreed.deflate
    assert (ours is None) is (theirs is None) is (settings is None)
    if ours is not None and theirs is not None:
        assert ours.parameters == theirs.parameters
        assert (ours.send_bits, ours.receive_bits) == (theirs.receive_bits, theirs.send_bits)


# The grammar of extensions


def test_extensions() -> None:
    """Elements in order, parameters in order, values quoted or not."""
    assert parse_extensions([]) == []
    assert parse_extensions([b'a;b;c=1 ; d="2"', b"e, ,a"]) == [
        (b"a", ((b"b", None), (b"c", b"1"), (b"d", b"2"))),
        (b"e", ()),
        (b"a", ()),
    ]


@pytest.mark.parametrize(("name", "value"), [*product([b"a", b""], [b"", b"b c", b'"', b"="])])
def test_parameters_are_tokens(name: bytes, value: bytes) -> None:
    """Name and value."""
    assert parse_extensions([b"x; " + name + b"=" + value]) is None
