"""Any content as a form, urlencoded or multipart.

Oracles: only `HTTPError` leaves the parser; any fragmentation gives the same fields and files, or the same refusal;
bounds hold; what was read as urlencoded, written again, reads the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from typing import Any

from readings import pieces_of
from settings import cuts_of

from highper_http.errors import HTTPError
from highper_http.forms import FormData, FormLimits, UploadFile, parse_form
from highper_http.query import encode_query, parse_query

__all__ = ["check", "one_input"]

TYPES = ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b", 'multipart/form-data; boundary="b b"']
SMALL = FormLimits(total=300, fields=3, files=2, field=40, part_head=100)
Shown = list[tuple[str, object]] | int


def one_input(data: bytes) -> None:
    """Read the form in `data` behind the byte that chooses type and bounds."""
    stage = data[0] if data else 0
    check(TYPES[stage % len(TYPES)], data[1:], small=bool(stage & 0x80))


def check(content_type: str, content: bytes, *, small: bool = False) -> None:
    """Run the oracles on one form.

    Raises:
        AssertionError: an oracle is violated.
    """
    limits = SMALL if small else FormLimits()
    whole = _shown(content_type, [content], limits)
    cut = _shown(content_type, pieces_of(content, cuts_of(content)), limits)
    assert whole == cut, ("fragmentation", content, whole, cut)
    if isinstance(whole, list):
        assert len(whole) <= limits.fields + limits.files, ("bounds", whole)
    if content_type == TYPES[0]:
        pairs = parse_query(content)
        assert parse_query(encode_query(pairs).encode()) == pairs, ("reprint", content, pairs)


def _shown(content_type: str, pieces: list[bytes], limits: FormLimits) -> Shown:
    """Return what was read, or the status of the refusal."""
    try:
        form: FormData = _finished(parse_form(content_type, _stream(pieces), limits))
    except HTTPError as error:
        return error.status
    try:
        return [(name, _value(value)) for name, value in form.pairs()]
    finally:
        form.close()


def _value(value: str | UploadFile) -> object:
    if isinstance(value, str):
        return value
    assert "/" not in value.safe_name, value
    return (value.filename, value.content_type, value.size, _finished(value.read()))


async def _stream(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def _finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that never waits: small files stay in memory, and need no thread."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a form that fits into memory waited")
