"""The opening handshake of a WebSocket, for both sides, on the events of an HTTP connection (RFC 6455 section 4).

A server reads a request with `read_opening`, then answers with an acceptance or a denial; a client builds its request
and judges the answer with `ClientOpening`. Nothing is sent here: the events go through the HTTP connection, and once
the 101 has gone or come, its stream carries frames, beginning with the bytes behind the head.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha1
from typing import Final, NamedTuple

from .errors import Fault, HandshakeError, LocalProtocolError
from .events import FieldLines, InformationalResponse, Request, Response
from .fields import Fields
from .grammar import ALPHAS, DIGITS, is_token, list_elements
from .limits import Limits
from .permessage_deflate import NAME, Deflate, DeflateSettings, Element, accept_offer, accept_response
from .state import Role

__all__ = [
    "Acceptance",
    "ClientOpening",
    "Opening",
    "accept_value",
    "denial",
    "parse_extensions",
    "read_opening",
    "refusal",
]

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BASE64: Final = ALPHAS + DIGITS + b"+/"
_VERSION: Final = b"13"
_OURS: Final = frozenset(
    (
        *(b"connection", b"upgrade", b"host", b"content-length", b"transfer-encoding"),
        *(b"sec-websocket-" + name for name in (b"accept", b"extensions", b"key", b"protocol", b"version")),
    )
)


class Acceptance(NamedTuple):
    """What the two sides have agreed on. The response is a 101: for a server the one to send."""

    response: InformationalResponse
    subprotocol: str | None
    deflate: Deflate | None


def accept_value(key: bytes) -> bytes:
    """Return the proof that a server has read `key`. Source: RFC 6455 section 4.2.2."""
    return b64encode(sha1(key + _GUID, usedforsecurity=False).digest())


# The server's side


class Opening:
    """What a client asks for, judged: built by `read_opening`.

    Args:
        key: value of Sec-WebSocket-Key.
        subprotocols: names in the client's order of preference.
        extensions: elements of Sec-WebSocket-Extensions in order.
        origin: value of Origin as received, None where there is none; whose it may be is not judged here.
    """

    __slots__ = ("key", "subprotocols", "extensions", "origin")

    def __init__(self, key: bytes, subprotocols: tuple[str, ...], extensions: list[Element], origin: bytes | None):
        self.key = key
        self.subprotocols = subprotocols
        self.extensions = extensions
        self.origin = origin

    def accept(
        self, subprotocol: str | None = None, headers: FieldLines = (), deflate: DeflateSettings | None = None
    ) -> Acceptance:
        """Return the acceptance.

        Args:
            subprotocol: one the client has named, or None.
            headers: further field lines of the 101.
            deflate: what to agree on with a client that offers compression; None for none.

        Raises:
            LocalProtocolError: HANDSHAKE_SUBPROTOCOL_INVALID, or EVENT_ILLEGAL for a field that is the handshake's own.
        """
        if subprotocol is not None and subprotocol not in self.subprotocols:
            raise LocalProtocolError(Fault.HANDSHAKE_SUBPROTOCOL_INVALID, "a subprotocol the client did not name")
        lines = [
            (b"upgrade", b"websocket"),
            (b"connection", b"upgrade"),
            (b"sec-websocket-accept", accept_value(self.key)),
        ]
        if subprotocol is not None:
            lines.append((b"sec-websocket-protocol", subprotocol.encode()))
        agreed = accept_offer(self.extensions, deflate) if deflate is not None else None
        if agreed is not None:
            lines.append((b"sec-websocket-extensions", agreed.element()))
        response = InformationalResponse(status_code=101, headers=lines + _further(headers))
        made = Deflate(Role.SERVER, agreed, deflate) if agreed is not None and deflate is not None else None
        return Acceptance(response, subprotocol, made)


def read_opening(request: Request) -> Opening:
    """Judge a request as an opening handshake. Source: RFC 6455 section 4.2.1.

    Raises:
        HandshakeError: which rule it breaks; `refusal` answers it.
    """
    fields = request.headers
    if request.method != b"GET":
        raise HandshakeError(Fault.HANDSHAKE_METHOD_INVALID)
    if not _is_switch(fields) or request.http_version != b"1.1":
        raise HandshakeError(Fault.HANDSHAKE_UPGRADE_MISSING)
    if fields.all(b"sec-websocket-version") != [_VERSION]:
        raise HandshakeError(Fault.HANDSHAKE_VERSION_UNSUPPORTED)
    keys = fields.all(b"sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        raise HandshakeError(Fault.HANDSHAKE_KEY_INVALID)
    subprotocols = _subprotocols(fields.all(b"sec-websocket-protocol"))
    extensions = parse_extensions(fields.all(b"sec-websocket-extensions"))
    if extensions is None:
        raise HandshakeError(Fault.HANDSHAKE_EXTENSION_INVALID)
    return Opening(keys[0], subprotocols, extensions, fields.first(b"origin"))


def refusal(fault: Fault) -> tuple[Response, bytes]:
    """Return head and content of a server's answer to a request that is no opening handshake.

    Source: RFC 6455 sections 4.2.2 and 4.4, RFC 9110 sections 15.5.6 and 15.5.22.
    """
    status = fault.status_hint or 400
    lines = []
    if status == 405:
        lines = [(b"allow", b"GET")]
    elif status == 426:
        lines = [(b"connection", b"upgrade"), (b"upgrade", b"websocket"), (b"sec-websocket-version", _VERSION)]
    return denial(status, fault.name.lower().replace("_", " ").encode(), headers=lines)


def denial(status: int, content: bytes = b"", *, headers: FieldLines = ()) -> tuple[Response, bytes]:
    """Return head and content of an answer that opens no WebSocket; they go out as `send_message`.

    Args:
        status: 200 to 999.
        content: body; text unless `headers` say otherwise.
        headers: field lines.
    """
    lines = list(headers)
    if content and not any(name.lower() == b"content-type" for name, _ in lines):
        lines.append((b"content-type", b"text/plain; charset=utf-8"))
    return Response(status_code=status, headers=lines), content


# The client's side


class ClientOpening:
    """A client's request for a WebSocket, and the judgement of its answer.

    Args:
        host: value of Host.
        target: path and query.
        nonce: 16 random bytes.
        subprotocols: names in the order of preference.
        deflate: compression to offer; None for none.
        headers: further field lines.
        limits: where the deadline comes from.

    Raises:
        ValueError: the nonce has another length.
        LocalProtocolError: HANDSHAKE_SUBPROTOCOL_INVALID, or EVENT_ILLEGAL for a field that is the handshake's own.
    """

    __slots__ = ("request", "_key", "_subprotocols", "_deflate", "_limits")

    def __init__(
        self,
        host: bytes,
        target: bytes,
        *,
        nonce: bytes,
        subprotocols: Iterable[str] = (),
        deflate: DeflateSettings | None = None,
        headers: FieldLines = (),
        limits: Limits | None = None,
    ) -> None:
        if len(nonce) != 16:
            raise ValueError("a nonce has 16 bytes")
        self._key = b64encode(nonce)
        self._subprotocols = tuple(subprotocols)
        self._deflate = deflate
        self._limits = limits or Limits()
        lines = [
            (b"host", host),
            (b"upgrade", b"websocket"),
            (b"connection", b"upgrade"),
            (b"sec-websocket-key", self._key),
            (b"sec-websocket-version", _VERSION),
        ]
        if self._subprotocols:
            names = [name.encode(errors="replace") for name in self._subprotocols]
            if len(set(names)) < len(names) or not all(map(is_token, names)):
                raise LocalProtocolError(Fault.HANDSHAKE_SUBPROTOCOL_INVALID)
            lines.append((b"sec-websocket-protocol", b", ".join(names)))
        if deflate is not None:
            lines.append((b"sec-websocket-extensions", deflate.offer()))
        self.request = Request(method=b"GET", target=target, headers=lines + _further(headers))

    def judge(self, response: InformationalResponse | Response) -> Acceptance | None:
        """Return what was agreed on; None for an interim response that decides nothing.

        Raises:
            HandshakeError: the server denies, then HANDSHAKE_DENIED and its content follows on the HTTP connection; or
                its answer breaks a rule, then the stream must be closed.

        Source: RFC 6455 section 4.1, page 19.
        """
        fields = response.headers
        if not isinstance(response, InformationalResponse):
            raise HandshakeError(Fault.HANDSHAKE_DENIED, f"answered {response.status_code}")
        if response.status_code != 101:
            return None
        if not _is_switch(fields):
            raise HandshakeError(Fault.HANDSHAKE_UPGRADE_MISSING)
        if fields.all(b"sec-websocket-accept") != [accept_value(self._key)]:
            raise HandshakeError(Fault.HANDSHAKE_ACCEPT_INVALID)
        chosen = fields.all(b"sec-websocket-protocol")
        if len(chosen) > 1 or not set(chosen) <= {name.encode() for name in self._subprotocols}:
            raise HandshakeError(Fault.HANDSHAKE_SUBPROTOCOL_INVALID)
        extensions = parse_extensions(fields.all(b"sec-websocket-extensions"))
        return Acceptance(response, chosen[0].decode() if chosen else None, self._agreed(extensions))

    def _agreed(self, extensions: list[Element] | None) -> Deflate | None:
        if extensions == []:
            return None
        settings = self._deflate
        agreed = None
        if settings is not None and extensions is not None and len(extensions) == 1 and extensions[0][0] == NAME:
            agreed = accept_response(extensions[0][1], settings)
        if agreed is None or settings is None:
            raise HandshakeError(Fault.HANDSHAKE_EXTENSION_INVALID)
        return Deflate(Role.CLIENT, agreed, settings)

    def deadline(self, began: float) -> float:
        """Return until when the answer must have come, HANDSHAKE_TIMEOUT after that; `began` and it are seconds."""
        return began + self._limits.websocket_handshake_timeout


# Fields


def _is_switch(fields: Fields) -> bool:
    asked = b"upgrade" in list_elements(fields.all(b"connection"))
    return asked and b"websocket" in list_elements(fields.all(b"upgrade"))


def _is_key(value: bytes) -> bool:
    return len(value) == 24 and value.endswith(b"==") and not value[:22].translate(None, _BASE64)


def _subprotocols(values: list[bytes]) -> tuple[str, ...]:
    """Return the names in `values`: tokens, each once; what is decoded has been judged."""
    names = _elements(values)
    if (values and not names) or not all(map(is_token, names)) or len(set(names)) < len(names):
        raise HandshakeError(Fault.HANDSHAKE_SUBPROTOCOL_INVALID)
    return tuple(name.decode() for name in names)


def _elements(values: list[bytes]) -> list[bytes]:
    """Return the elements of a list, in the case they came in; empty ones are skipped (RFC 9110 section 5.6.1)."""
    return [name for value in values for element in value.split(b",") if (name := element.strip(b" \t"))]


def _further(headers: FieldLines) -> list[tuple[bytes, bytes]]:
    lines = list(headers)
    for name, _ in lines:
        if name.lower() in _OURS:
            raise LocalProtocolError(Fault.EVENT_ILLEGAL, f"{name.decode('latin-1')} is the handshake's own field")
    return lines


def parse_extensions(values: list[bytes]) -> list[Element] | None:
    """Return the elements of Sec-WebSocket-Extensions in order, None where the field is malformed.

    A value may be quoted, but what is quoted is a token, so no comma or semicolon can hide in it.

    Cost: linear. Source: RFC 6455 section 9.1.
    """
    elements: list[Element] = []
    for text in _elements(values):
        name, *parts = (piece.strip(b" \t") for piece in text.split(b";"))
        if not is_token(name):
            return None
        parameters: list[tuple[bytes, bytes | None]] = []
        for part in parts:
            key, equals, value = part.partition(b"=")
            if len(value) > 1 and value[:1] == value[-1:] == b'"':
                value = value[1:-1]
            if not is_token(key) or (equals and not is_token(value)):
                return None
            parameters.append((key, value if equals else None))
        elements.append((name, tuple(parameters)))
    return elements if elements or not values else None
