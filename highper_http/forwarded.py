"""Who a request comes from, where trusted proxies stand before us and say so in fields.

Every proxy on the way adds its own peer's address at the right end of a list; a client can put anything at the left.
So the list is walked from the right: the stream's peer is believed if it is trusted, then whom it names if that one is
trusted too, and so on. The first address that is not trusted is the client, and nothing left of it is looked at.

One kind of field is configured and the other ignored: a proxy that writes one passes the other on as the client sent
it, and a server that took whichever it finds would believe the client.

    x-forwarded    X-Forwarded-For, a list; -Proto, -Host and -Port, exactly one value each
    forwarded      Forwarded, with `for`, `proto` and `host` of each proxy (RFC 7239)

What the believed part says and cannot be read is never replaced by a guess that could be worth something: the client
is None then and not the proxy, whose address an application may let pass; the scheme is `http`; host and port are those
of the request. No request is refused for it: the fields are no part of its framing or its route.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, get_args

from highper_core.grammar import is_authority, is_digits
from highper_transports.trust import TrustedPeers, read_address

from .errors import ConfigError

if TYPE_CHECKING:
    from highper_core.fields import Fields
    from highper_transports.stream import Stream

__all__ = ["ForwardedFields", "Forwarding", "Origin"]

Address: TypeAlias = "tuple[str, int] | str | None"
ForwardedFields: TypeAlias = Literal["x-forwarded", "forwarded"]

MOST_HOPS: Final = 32  # proxies in a row
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_UNREADABLE: Final[dict[str, str]] = {}


class Origin(NamedTuple):
    """Where a request comes from.

    Attributes:
        client: address of the client, port 0 where nobody told it; None where it is not known.
        scheme: what the client spoke, "http" or "https".
        host: what the client asked for, where a proxy told it apart from the request's own.
        port: where the client asked, likewise.
    """

    client: Address
    scheme: str
    host: str | None = None
    port: int | None = None

    def authority(self, own: str) -> str:
        """Return host and port that the client asked for, a scheme's usual port left out; `own` unless told."""
        named = self.host or own
        if self.port is None or not named:
            return named
        host = _PORT.sub("", named)
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Forwarding:
    """Whom to believe, and which fields.

    Args:
        trusted: the proxies.
        fields: the kind they write.

    Raises:
        ConfigError: no such kind.
    """

    trusted: TrustedPeers
    fields: ForwardedFields = "x-forwarded"

    def __post_init__(self) -> None:
        if self.fields not in get_args(ForwardedFields):
            raise ConfigError(f"forwarded fields are of the kind x-forwarded or forwarded, not {self.fields!r}")

    def origin(self, stream: Stream, fields: Fields) -> Origin:
        """Return where the request that came over `stream` with `fields` comes from. Raises nothing.

        Cost: linear in the fields it reads.
        """
        if not self.trusted.believes(stream):
            return Origin(stream.peer, stream.scheme)
        return self._by_forwarded(stream, fields) if self.fields == "forwarded" else self._by_x(stream, fields)

    # X-Forwarded-*

    def _by_x(self, stream: Stream, fields: Fields) -> Origin:
        client: Address = stream.peer
        hops = 0
        for line in reversed(fields.all(b"x-forwarded-for")):
            for text in reversed(line.split(b",")):
                text = text.strip(b" \t")
                if not text:
                    continue
                hops += 1
                client = _bare_node(text.decode("latin-1")) if hops <= MOST_HOPS else None
                if client is None or not self.trusted.covers(client[0]):
                    return self._x(client, stream, fields)
        return self._x(client, stream, fields)

    def _x(self, client: Address, stream: Stream, fields: Fields) -> Origin:
        scheme = _only(fields.all(b"x-forwarded-proto"))
        host = _only(fields.all(b"x-forwarded-host"))
        port = _only(fields.all(b"x-forwarded-port")) or b""
        return Origin(
            client,
            stream.scheme if scheme is None else _scheme(scheme.decode("latin-1")),
            host.decode("ascii") if host and b"," not in host and is_authority(host, port_needed=False) else None,
            int(port) if is_digits(port) and len(port) <= 5 and 0 < int(port) < 65536 else None,
        )

    # Forwarded

    def _by_forwarded(self, stream: Stream, fields: Fields) -> Origin:
        client: Address = stream.peer
        scheme, host = stream.scheme, None
        hops = 0
        for line in reversed(fields.all(b"forwarded")):
            for element in reversed(_elements(line.decode("latin-1"))):
                hops += 1
                if element is _UNREADABLE or hops > MOST_HOPS:
                    return Origin(None, "http", host)
                if "proto" in element:
                    scheme = _scheme(element["proto"])
                if is_authority(element.get("host", "").encode("latin-1"), port_needed=False):
                    host = element["host"]
                client = _node(element["for"]) if "for" in element else None
                if client is None or not self.trusted.covers(client[0]):
                    return Origin(client, scheme, host)
        return Origin(client, scheme, host)


def _only(values: list[bytes]) -> bytes | None:
    """Return the value of a field that is no list; empty where it is one, None where it is not there."""
    return None if not values else values[0] if len(values) == 1 else b""


def _scheme(text: str) -> str:
    return "https" if text.lower() == "https" else "http"


def _bare_node(text: str) -> tuple[str, int] | None:
    """Return address and port where an IPv6 address may stand without brackets, None for what is none."""
    address = read_address(text)
    return _node(text) if address is None else (str(address), 0)


def _node(text: str) -> tuple[str, int] | None:
    """Return address and port of a node, None for one that hides or is none (RFC 7239 section 6)."""
    match = _NODE.fullmatch(text)
    address = match and read_address(match[1] or match[2])
    if match is None or address is None:
        return None
    port = match[3] or "0"
    if port.startswith("_"):  # a made-up name for it
        return str(address), 0
    return (str(address), int(port)) if int(port) < 65536 else None


def _elements(line: str) -> list[dict[str, str]]:
    """Return the elements of one Forwarded line, names lower case; one that is unreadable for a malformed line.

    A line is judged by itself: a quote that a client left open cannot swallow what a proxy writes on a line of its own.
    """
    elements: list[dict[str, str]] = []
    element: dict[str, str] = {}
    line = line.strip(" \t")
    position = 0
    while True:
        match = _PAIR.match(line, position)
        if match is None:
            return [_UNREADABLE]
        name, token, quoted, semicolon, comma = match.groups()
        if name is not None:
            if name.lower() in element:
                return [_UNREADABLE]
            element[name.lower()] = token if quoted is None else _ESCAPED.sub(r"\1", quoted)
        if not semicolon:
            if element:
                elements.append(element)
            element = {}
            if not comma:
                return elements
        position = match.end()


_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED: Final = r'"((?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+)"'
_PAIR: Final = re.compile(rf"(?:({_TOKEN})=(?:({_TOKEN})|{_QUOTED}))?(?:(;)|[ \t]*+(,)[ \t]*+|\Z)")
_ESCAPED: Final = re.compile(r"\\(.)")
_PORT: Final = re.compile(r":[0-9]*\Z")
_NODE: Final = re.compile(r"(?:([0-9.]{7,15})|\[([0-9A-Fa-f]*:[0-9A-Fa-f:.]+)\])(?::([0-9]{1,5}|_[0-9A-Za-z._\-]+))?")
