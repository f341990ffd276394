"""Fields as text: a read-only mapping over a field section, and the parameters that some values carry.

Bytes are read as ISO-8859-1, so that nothing is lost and nothing can fail (RFC 9110 section 5.5); a field that means
UTF-8 can be encoded back and decoded again. Names are matched without regard to case. Several lines of one name are
one value, joined as their grammar tells (section 5.3), so that a second `authorization` is seen and not overlooked;
`all` has them one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from encodings.aliases import aliases
from typing import Final, TypeVar, overload

from highper_core.fields import Fields

__all__ = ["Headers", "charset_of", "codec_of", "parse_parameters"]

D = TypeVar("D")


class Headers(Mapping[str, str]):
    """A field section as text. Iterates over the names, lower case, each once.

    Args:
        fields: the section; borrowed.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> str:
        value = self._find(name)
        if value is None:
            raise KeyError(name)
        return value

    @overload
    def get(self, name: str, default: None = None) -> str | None: ...

    @overload
    def get(self, name: str, default: str | D) -> str | D: ...

    def get(self, name: str, default: D | None = None) -> str | D | None:
        """Return the value of `name`, or `default`."""
        value = self._find(name)
        return default if value is None else value

    def all(self, name: str) -> list[str]:
        """Return the value of every line called `name`, in order."""
        return [value.decode("latin-1") for value in self._fields.all(_key(name))]

    def _find(self, name: str) -> str | None:
        values = self._fields.all(_key(name))
        if len(values) == 1:
            return values[0].decode("latin-1")
        return (b"; " if name.lower() == "cookie" else b", ").join(values).decode("latin-1") if values else None

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._find(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter({name.decode("latin-1").lower(): None for name, _ in self._fields})

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._fields})

    def lines(self) -> list[tuple[str, str]]:
        """Return every field line in order, names as received."""
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._fields]

    def __repr__(self) -> str:
        return f"Headers({self.lines()!r})"


def parse_parameters(value: str) -> tuple[str, dict[str, str]]:
    """Return the item before the first semicolon, lower case, and the parameters after it.

    Names are lower case; a quoted value is unquoted. Of a name given twice the first counts. Whatever is not a
    parameter is passed over.

    Cost: linear.

    Source: RFC 9110 sections 5.6.6 and 8.3.1.
    """
    item, _, rest = value.partition(";")
    found: dict[str, str] = {}
    position = 0
    while position < len(rest):
        match = _PARAMETER.match(rest, position)
        if match is None:
            cut = rest.find(";", position)
            position = cut + 1 if cut >= 0 else len(rest)
            continue
        name, token, quoted = match.groups()
        found.setdefault(name.lower(), token if quoted is None else _ESCAPED.sub(r"\1", quoted))
        position = match.end()
    return item.strip(" \t").lower(), found


def charset_of(content_type: str | None) -> str | None:
    """Return the `charset` parameter of a media type, lower case, or None."""
    charset = parse_parameters(content_type)[1].get("charset") if content_type else None
    return charset.lower() if charset else None


def codec_of(charset: str) -> str | None:
    """Return the name of the codec that reads `charset`, or None where Python has none for text.

    Python remembers for good every spelling that it was ever asked for, known or not. So only its own spellings
    reach it, which are few; a client could fill memory with others.
    """
    codec = _SEPARATORS.sub("_", charset.lower())
    return codec if codec in _CODECS else None


def _key(name: str) -> bytes:
    return name.lower().encode("utf-8", "replace")  # what is not ASCII names no field


_PARAMETER: Final = re.compile(
    r'[ \t]*+([!#$%&\'*+\-.^_`|~0-9A-Za-z]++)=(?:([^\s;"]*+)|"((?:[^"\\]|\\.)*+)")[ \t]*+(?:;|\Z)', re.DOTALL
)
_SEPARATORS: Final = re.compile(r"[^0-9a-z]+")
_CODECS: Final = frozenset({*aliases, *aliases.values(), "cp874", "koi8_u"})
_ESCAPED: Final = re.compile(r'\\(["\\])')  # a browser writes the backslashes of a file name as they are
