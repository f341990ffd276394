"""Where a URL leads: whom to connect to, what to ask for, and as whom.

Source: RFC 6455 section 3 (ws and wss), RFC 9110 section 4.2 (http and https, for proxies), RFC 3986.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes, urlsplit

from highper_core.grammar import is_authority

__all__ = ["Destination", "parse_proxy", "parse_websocket"]

_PORTS: Final = {"ws": 80, "wss": 443, "http": 80, "https": 443}
_SECURE: Final = ("wss", "https")
_KEPT: Final = "/%:@!$&'()*+,;=~-._"  # what a path may hold as it is, and encoding that was done already


class Destination(NamedTuple):
    """What a URL says.

    Args:
        secure: TLS is spoken.
        host: name or address, without brackets.
        port: the scheme's, where the URL has none.
        authority: value of Host: without a port that is the scheme's.
        target: path and query.
        authorization: value of Authorization for the URL's user and password, None where it names nobody.
    """

    secure: bool
    host: str
    port: int
    authority: bytes
    target: bytes
    authorization: bytes | None


def parse_websocket(url: str) -> Destination:
    """Read a URL of a WebSocket: `ws://host:port/path?query` or `wss://...`.

    Raises:
        ValueError: it is none; the text says why.
    """
    return _parse(url, ("ws", "wss"))


def parse_proxy(url: str) -> Destination:
    """Read a URL of a proxy: `http://user:password@host:port` or `https://...`.

    Raises:
        ValueError: it is none; the text says why.
    """
    found = _parse(url, ("http", "https"))
    if found.target != b"/":
        raise ValueError("the URL of a proxy ends behind its port")
    return found


def _parse(url: str, schemes: tuple[str, str]) -> Destination:
    if any(character <= " " or character == "\x7f" for character in url):
        raise ValueError("a URL has no spaces and no controls")
    parts = urlsplit(url)  # a port or address it cannot read is a ValueError, here or below
    if parts.scheme not in schemes:
        raise ValueError(f"a URL that begins with {schemes[0]}:// or {schemes[1]}:// is needed")
    if "#" in url:
        raise ValueError("a fragment leads nowhere: the URL must have none")
    host = parts.hostname
    if not host:
        raise ValueError("the URL names no host")
    if not host.isascii():
        host = host.encode("idna").decode()
    usual = _PORTS[parts.scheme]
    port = usual if parts.port is None else parts.port
    shown = f"[{host}]" if ":" in host else host
    authority = (shown if port == usual else f"{shown}:{port}").encode()
    if not is_authority(authority, port_needed=False):
        raise ValueError("the URL names no host that could be")
    target = quote(parts.path or "/", safe=_KEPT)
    if parts.query:
        target += "?" + quote(parts.query, safe=_KEPT + "?")
    return Destination(
        parts.scheme in _SECURE, host, port, authority, target.encode(), _basic(parts.username, parts.password)
    )


def _basic(user: str | None, password: str | None) -> bytes | None:
    """Source: RFC 7617 section 2."""
    if user is None:
        return None
    name, secret = unquote_to_bytes(user), unquote_to_bytes(password or "")
    if b":" in name or any(octet < 0x20 or octet == 0x7F for octet in name + secret):
        raise ValueError("a user's name in a URL holds no colon, and neither it nor the password controls")
    return b"Basic " + b64encode(name + b":" + secret)
