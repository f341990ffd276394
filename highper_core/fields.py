"""A field section: ordered, repeatable, case-insensitive (RFC 9110 section 5).

`Fields` is a read-only sequence of `(name, value)` pairs of bytes. Received names are lower case. The fast engine
subclasses it with spans into the received head, so that a field nobody reads is never copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ._spares import keep_spares

__all__ = ["Fields"]


class Fields:
    """An ordered field section. Immutable.

    Args:
        lines: `(name, value)` pairs; names are matched without regard to case.
    """

    __slots__ = ("_lines",)

    def __init__(self, lines: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._lines: list[tuple[bytes, bytes]] | None = list(lines)

    @staticmethod
    def of(lines: Iterable[tuple[bytes, bytes]]) -> Fields:
        """Return `lines` itself when it is a `Fields`, else a new one."""
        return lines if isinstance(lines, Fields) else Fields(lines)

    def lines(self) -> list[tuple[bytes, bytes]]:
        """Return every field line in order. The list is shared: do not change it."""
        assert self._lines is not None
        return self._lines

    def first(self, name: bytes) -> bytes | None:
        """Return the value of the first field line called `name` (lower case), or None."""
        for key, value in self.lines():
            if key.lower() == name:
                return value
        return None

    def all(self, name: bytes) -> list[bytes]:
        """Return the values of all field lines called `name` (lower case), in order."""
        return [value for key, value in self.lines() if key.lower() == name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, bytes) and self.first(name.lower()) is not None

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.lines())

    def __len__(self) -> int:
        return len(self.lines())

    def __getitem__(self, index: int) -> tuple[bytes, bytes]:
        return self.lines()[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fields) and self.lines() == other.lines()

    def __hash__(self) -> int:
        return hash(tuple(self.lines()))

    def __repr__(self) -> str:
        return f"Fields({self.lines()!r})"


keep_spares(Fields)
