"""Conformance cases: the notation they are written in, and how they become values.

A case is a promise about bytes: what was sent, and what must be made of it. `README.md` explains the notation; this
module is its only reader. Nothing here knows an engine.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from highper_core import (
    ConnectionClosed,
    Data,
    EndOfMessage,
    Event,
    Fault,
    InformationalResponse,
    Limits,
    Request,
    Response,
    Role,
)

__all__ = ["BEHIND", "CASES", "Case", "decode", "load", "parse_event"]

CASES = Path(__file__).parent / "cases"
BEHIND = ("answered", "unparsed", "handed over", "absent")
ASKED = {
    "": None,
    "GET": "request GET / 1.1 length=0 | host: a",
    "HEAD": "request HEAD / 1.1 length=0 | host: a",
    "CONNECT": "request CONNECT a:443 1.1 length=0 | host: a:443",
    "UPGRADE": "request GET / 1.1 length=0 | host: a | connection: upgrade | upgrade: toy",
    "CLOSE": "request GET / 1.1 length=0 | host: a | connection: close",
}
_ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "s": b" ", "0": b"\0", "\\": b"\\", "\n": b""}
_PIECE = re.compile(r"\\x([0-9a-f]{2})|\\\{(\d+)\*([^}]*)\}|\\(.|\n)|(\n)|([ -\[\]-~]+)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One promise. The fields are the keys of the notation, decoded."""

    id: str
    title: str
    source: str
    topic: str
    role: Role
    input: bytes
    limits: Limits
    asked: Request | None
    events: tuple[Event, ...]
    fault: Fault
    status: int | None
    behind: str
    end_of_input: bool
    switch: bool
    waits: bool | None
    silence: float | None


def decode(text: str) -> bytes:
    """Return the bytes that `text` stands for.

    Raises:
        ValueError: `text` is not in the notation.
    """
    result, position = [], 0
    while position < len(text):
        match = _PIECE.match(text, position)
        if match is None or (match[4] and match[4] not in _ESCAPES):
            raise ValueError(f"not in the notation: {text[position : position + 20]!r}")
        octet, count, repeated, escape, line_break, plain = match.groups()
        if octet:
            result.append(bytes.fromhex(octet))
        elif count:
            result.append(decode(repeated) * int(count))
        elif escape:
            result.append(_ESCAPES[escape])
        else:
            result.append(b"\r\n" if line_break else plain.encode("ascii"))
        position = match.end()
    return b"".join(result)


def parse_event(text: str) -> Event:
    """Return the event that a line of the notation stands for."""
    head, *lines = text.split(" | ")
    fields = [_field(line) for line in lines]
    kind, _, rest = head.partition(" ")
    if kind == "request":
        method, target, version, length = rest.split(" ")
        return Request(
            method=decode(method),
            target=decode(target),
            headers=fields,
            http_version=version.encode(),
            content_length=-1 if length == "chunked" else int(length.removeprefix("length=")),
        )
    if kind in ("response", "interim"):
        code, version, *reason = rest.split(" ", 2)
        made = Response if kind == "response" else InformationalResponse
        phrase = decode(reason[0]) if reason else b""
        return made(status_code=int(code), headers=fields, reason=phrase, http_version=version.encode())
    if kind == "data":
        return Data(decode(rest))
    if kind == "end" and not rest:
        return EndOfMessage(fields)
    if kind == "closed" and not rest:
        return ConnectionClosed()
    raise ValueError(f"not an event: {text!r}")


def _field(line: str) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(":")
    if not colon:
        raise ValueError(f"not a field: {line!r}")
    return decode(name), decode(value.removeprefix(" "))


def _case(topic: str, entry: dict[str, Any]) -> Case:
    entry = dict(entry)
    asked = entry.pop("asked", "")
    line = ASKED.get(asked, asked)
    request = parse_event(line) if line else None
    assert request is None or isinstance(request, Request)
    case = Case(
        id=entry.pop("id"),
        title=entry.pop("title"),
        source=entry.pop("source"),
        topic=topic,
        role=Role[entry.pop("role", "server").upper()],
        input=decode(entry.pop("input")),
        limits=Limits(**entry.pop("limits", {})),
        asked=request,
        events=tuple(parse_event(event) for event in entry.pop("events", ())),
        fault=Fault[entry.pop("fault", "NONE")],
        status=entry.pop("status", None),
        behind=entry.pop("behind"),
        end_of_input=entry.pop("end_of_input", False),
        switch=entry.pop("switch", False),
        waits=entry.pop("waits", None),
        silence=entry.pop("silence", None),
    )
    if entry:
        raise ValueError(f"{case.id}: unknown keys {sorted(entry)}")
    if case.behind not in BEHIND:
        raise ValueError(f"{case.id}: behind must be one of {BEHIND}")
    return case


def load(folder: Path = CASES) -> list[Case]:
    """Return every case below `folder`, in order of file name.

    Raises:
        ValueError: a case is not in the notation, or an id is used twice.
    """
    cases: list[Case] = []
    for path in sorted(folder.rglob("*.toml")):
        with path.open("rb") as file:
            content = tomllib.load(file)
        for entry in content["case"]:
            try:
                cases.append(_case(path.stem, entry))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path.name}: {entry.get('id')}: {error!r}") from error
    ids = [case.id for case in cases]
    twice = {name for name in ids if ids.count(name) > 1}
    if twice:
        raise ValueError(f"ids used twice: {sorted(twice)}")
    return cases
