# cython: annotation_typing=False
"""What heads of responses are made of: media types, field lines that were judged, and whole heads of answers that have
nothing of their own, which are shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol, TypeAlias

from highper_core.events import Response as ResponseHead
from highper_core.events import response_head

from ._native import is_text
from .date import http_date

__all__ = ["BYTES", "HTML", "JSON", "MSGPACK", "TEXT", "FieldValue", "Heir", "field_line", "own_head", "plain_head"]

TEXT: Final = b"text/plain; charset=utf-8"
HTML: Final = b"text/html; charset=utf-8"
JSON: Final = b"application/json"
MSGPACK: Final = b"application/msgpack"
BYTES: Final = b"application/octet-stream"

PLAIN_HEADS: Final = 64  # kept at a time
NAMES: Final = 256  # of fields that an application sets, kept as octets

FieldValue: TypeAlias = "str | bytes | int"


class Heir(Protocol):
    """Who gets the stream behind a 101."""

    def open(self, fields: Sequence[tuple[bytes, bytes]]) -> None:
        """Send the 101, with `fields` besides its own, and take the stream."""

    def close(self) -> None:
        """Know that there will be no 101."""


def field_line(name: str, value: FieldValue) -> tuple[bytes, bytes]:
    """Return a field line.

    Args:
        name: field name, in any case.
        value: text of Latin-1, bytes, or a number.

    Raises:
        ValueError: characters that no field may hold.
    """
    key = _names.get(name)
    if key is None:
        key = _field_name(name)
    line = value if isinstance(value, bytes) else str(value).encode("latin-1")
    if not is_text(line):
        raise ValueError(f"field {name!r} cannot hold control characters: {value!r}")
    return key, line


def _field_name(name: str) -> bytes:
    key = name.lower().encode("latin-1")
    if not key or key.translate(None, _TOKEN):
        raise ValueError(f"not a field name: {name!r}")
    if len(_names) < NAMES:
        _names[name] = key
    return key


def own_head(status: int, content_type: bytes | None, fields: list[tuple[bytes, bytes]]) -> ResponseHead:
    """Return the head of an answer with fields of its own."""
    return response_head(plain_head(status, content_type), fields)


def plain_head(status: int, content_type: bytes | None) -> ResponseHead:
    """Return the head of an answer without fields of its own. Events are never changed, so equal answers share one."""
    global _heads_date
    date = http_date()
    if date is not _heads_date or len(_heads) > PLAIN_HEADS:
        _heads.clear()
        _heads_date = date
    key = content_type if status == 200 else (content_type, status)
    head = _heads.get(key)
    if head is None:
        lines = [(b"date", date)]
        if content_type is not None:
            lines.append((b"content-type", content_type))
        head = _heads[key] = ResponseHead(status_code=status, headers=lines)
    return head


_heads: dict[object, ResponseHead] = {}
_heads_date = b""
_names: dict[str, bytes] = {}
_TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
