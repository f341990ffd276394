"""Route patterns: what a path must look like, segment by segment.

    /users/me            static
    /users/:id           parameter, one segment that is not empty; `{id}` and `{id:str}` say the same
    /users/{id:int}      typed: int, float, uuid; a segment of another form does not match
    /files/*rest         catch-all: everything that remains, also nothing; `{rest:path}` says the same; last only

A parameter is a whole segment. Where several patterns match, the first segment in which they differ decides:
static, then int, float, uuid, then an untyped parameter, then a catch-all. A trailing slash is significant: it is one
more, empty segment, and only a pattern that ends in a slash, or a catch-all, has it.

Static text is matched against the path as sent; text outside the characters of a path segment is percent-encoded here,
and equivalent spellings are matched too (`percent.normalise`). Parameters are decoded after the path was split, so an
encoded slash stays inside its segment; in a catch-all it can no longer be told from a real one.

Dot segments are ordinary segments. Clients remove them before they send (RFC 3986 section 5.2.4); a server that
removed them again would route `/a/../b` unlike the proxy before it that did not, which is how access rules are walked
around. A file server has to refuse them in the value of a catch-all.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Final

from .. import percent
from ..errors import RouteConflict, SetupError
from .kinds import Kind, classify

__all__ = ["Pattern", "Segment"]

_TYPES: Final = {"int": Kind.INT, "float": Kind.FLOAT, "uuid": Kind.UUID, "str": Kind.STR, "path": Kind.REST}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_BRACES: Final = re.compile(r"\{([^{}:]*)(?::([^{}:]*))?\}\Z")


class Segment:
    """One segment of a pattern.

    Args:
        kind: what it matches.
        static: the bytes of a path that a static segment matches, normalised.
        name: the parameter's.
    """

    __slots__ = ("kind", "static", "name")

    def __init__(self, kind: Kind, *, static: bytes = b"", name: str = "") -> None:
        self.kind = kind
        self.static = static
        self.name = name


class Pattern:
    """A parsed pattern.

    Args:
        text: as described above; empty for the place a router is mounted at.

    Raises:
        SetupError: malformed.
        RouteConflict: two parameters of one name.
    """

    __slots__ = ("text", "segments", "names", "shape")

    def __init__(self, text: str) -> None:
        if text and not text.startswith("/"):
            raise SetupError(f"a pattern starts with a slash: {text!r}")
        parts = text.split("/")[1:]
        if any(not part for part in parts[:-1]):
            raise SetupError(f"a pattern has no empty segment but the last: {text!r}")
        self.text = text
        self.segments = [_parse(part, text) for part in parts]
        self.names = tuple([segment.name for segment in self.segments if segment.name])
        if any(segment.kind is Kind.REST for segment in self.segments[:-1]):
            raise SetupError(f"a catch-all is the last segment: {text!r}")
        if len(set(self.names)) < len(self.names):
            raise RouteConflict(f"a parameter name is used twice: {text!r}")
        self.shape = tuple([(segment.kind, segment.static) for segment in self.segments])

    @property
    def precedence(self) -> tuple[int, ...]:
        """The order in which patterns that match the same path are preferred: lower first."""
        return tuple([segment.kind for segment in self.segments])

    @property
    def static_path(self) -> bytes | None:
        """The one path that matches, or None where there are parameters."""
        return None if self.names else b"".join([b"/" + segment.static for segment in self.segments])

    def under(self, prefix: Pattern) -> Pattern:
        """Return this pattern below `prefix`."""
        return Pattern(prefix.text.removesuffix("/") + self.text) if prefix.text else self

    def format(self, params: dict[str, object]) -> str:
        """Return the path that matches with `params`.

        Raises:
            ValueError: a parameter is missing, left over, or not one that could be matched.
        """
        if set(params) != set(self.names):
            raise ValueError(f"{self.text!r} takes the parameters {sorted(self.names)}, not {sorted(params)}")
        return "".join(
            [
                "/" + (_format(segment, params[segment.name]) if segment.name else segment.static.decode())
                for segment in self.segments
            ]
        )


def _parse(part: str, pattern: str) -> Segment:
    if part.startswith(":"):
        return _parameter(part[1:], Kind.STR, pattern)
    if part.startswith("*"):
        return _parameter(part[1:], Kind.REST, pattern)
    if part.startswith("{"):
        found = _BRACES.match(part)
        kind = _TYPES.get(found[2] or "str") if found and found[2] != "" else None
        if found is None or kind is None:
            raise SetupError(f"{part!r} is not {{name:int|float|uuid|str|path}}: {pattern!r}")
        return _parameter(found[1], kind, pattern)
    if any(character in part for character in "{}?#\\") or any(ord(character) < 33 for character in part):
        raise SetupError(f"{part!r} holds a character no static segment has, or a parameter that is not a whole one")
    try:
        encoded = "".join([piece if piece == "%" else percent.encode(piece) for piece in re.split("(%)", part)])
        return Segment(Kind.STATIC, static=percent.normalise(encoded.encode()))
    except ValueError as error:
        raise SetupError(f"{part!r}: {error}: {pattern!r}") from error


def _parameter(name: str, kind: Kind, pattern: str) -> Segment:
    if not _NAME.match(name):
        raise SetupError(f"{name!r} is not a parameter name: {pattern!r}")
    return Segment(kind, name=name)


def _format(segment: Segment, value: object) -> str:
    if segment.kind is Kind.FLOAT and isinstance(value, float) and math.isfinite(value):
        value = format(Decimal(repr(value)), "f")
    text = str(value)
    encoded = percent.encode_path(text) if segment.kind is Kind.REST else percent.encode(text)
    if "\0" in text or not {".", ".."}.isdisjoint(text.split("/")):
        raise ValueError(
            f"{segment.name!r} cannot be sent as {text!r}: clients remove dot segments, servers refuse NUL"
        )
    if segment.kind is not Kind.REST and (not text or not _belongs(classify(encoded.encode()), segment.kind)):
        raise ValueError(f"{segment.name!r} takes one {segment.kind.name.lower()}, not {value!r}")
    return encoded


def _belongs(narrowest: int, kind: Kind) -> bool:
    return kind in (narrowest, Kind.STR) or (kind is Kind.FLOAT and narrowest == Kind.INT)
