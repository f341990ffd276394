"""Pairs of names and values: the query of a request-target, and urlencoded content.

Read as browsers write them (URL Standard, application/x-www-form-urlencoded): `&` separates, `+` is a space, a
malformed `%` stays as it is, octets that are not UTF-8 become U+FFFD. Reading never fails, since nothing is routed by
it; a `;` separates nothing, since caches before us think so too. Names repeat, and order is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeVar

from .percent import decode_lenient

__all__ = ["MultiDict", "decode_component", "encode_query", "parse_query"]

V = TypeVar("V", covariant=True)
_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._*")
_ENCODED: Final = [chr(o) if o in _PLAIN else "+" if o == 32 else f"%{o:02X}" for o in range(256)]


class MultiDict(Mapping[str, V]):
    """Pairs whose names may repeat. A name is looked up as its first value; `all` has every one. Read-only."""

    __slots__ = ("_pairs", "_values")

    def __init__(self, pairs: Iterable[tuple[str, V]] = ()) -> None:
        self._pairs = list(pairs)
        self._values: dict[str, list[V]] = {}
        for name, value in self._pairs:
            self._values.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> V:
        return self._values[name][0]

    def all(self, name: str) -> list[V]:
        """Return every value called `name`, in order."""
        return list(self._values.get(name, ()))

    def pairs(self) -> list[tuple[str, V]]:
        """Return every pair, in order."""
        return list(self._pairs)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._pairs!r})"


def parse_query(query: bytes) -> list[tuple[str, str]]:
    """Return the pairs of a query, without its question mark, in order. A part without `=` has an empty value.

    Cost: linear.
    """
    pairs = []
    for part in query.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append((decode_component(name), decode_component(value)))
    return pairs


def decode_component(data: bytes) -> str:
    """Return one name or value as text."""
    if b"+" in data:
        data = data.replace(b"+", b" ")
    return decode_lenient(data).decode("utf-8", "replace")


def encode_query(pairs: Iterable[tuple[str, object]]) -> str:
    """Return `pairs` as a query, which `parse_query` reads back."""
    return "&".join([f"{_encode(name)}={_encode(str(value))}" for name, value in pairs])


def _encode(text: str) -> str:
    return "".join([_ENCODED[octet] for octet in text.encode()])
