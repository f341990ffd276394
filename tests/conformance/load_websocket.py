"""WebSocket cases: what a peer sends, frame by frame, and what must be made of it. `README.md` explains the notation.

A peer's frames are spelled, not dumped, so that a case says what it is about; where octets matter there is `hex`.
"""

from __future__ import annotations

import tomllib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.load_cases import decode

from highper_core import Event, Fault, Limits, Role
from highper_core.events import BytesFragment, CloseConnection, ConnectionClosed, Ping, Pong, TextFragment
from highper_core.frames import RSV1, Opcode, serialize_frame
from highper_core.permessage_deflate import DeflateSettings

__all__ = ["KEY", "WEBSOCKET_CASES", "WebSocketCase", "load_websocket", "spell"]

WEBSOCKET_CASES = Path(__file__).parent / "websocket"
KEY = b"\x37\xfa\x21\x3d"  # RFC 6455 section 5.7
OPCODES = {opcode.name.lower(): opcode for opcode in Opcode}
DEFLATE = {
    "": None,
    "forgetting": DeflateSettings(),
    "keeping": DeflateSettings(server_no_context_takeover=False, client_no_context_takeover=False, memory=1 << 20),
    "small": DeflateSettings(server_max_window_bits=9, client_max_window_bits=9),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketCase:
    """One promise. The fields are the keys of the notation, decoded."""

    id: str
    title: str
    source: str
    topic: str
    role: Role
    input: bytes
    limits: Limits
    deflate: DeflateSettings | None
    send: tuple[Event, ...]
    events: tuple[Event, ...]
    written: bytes
    fault: Fault
    state: str
    end_of_input: bool


class _Speller:
    """The peer: spells frames, masked with KEY where it is a client, and keeps the context of its compressor."""

    def __init__(self, masked: bool, settings: DeflateSettings | None) -> None:
        self.key = KEY if masked else b""
        self.bits = 15 if settings is None else settings.parameters.client_max_window_bits
        self.keeps = settings is not None and not settings.parameters.client_no_context_takeover
        self.stream: Any = None

    def spell(self, line: str) -> bytes:
        """Return the octets of `[compressed] [rsv1] [rsv2] [rsv3] [long8] opcode[...] payload`, or of `hex ...`."""
        kind, _, rest = line.partition(" ")
        if kind == "hex":
            return bytes.fromhex(rest)
        if kind == "raw":
            return decode(rest)
        flags = 0
        compressed = inflatable = False
        while kind not in OPCODES and kind.removesuffix("...") not in OPCODES:
            if kind == "compressed":
                compressed = True
            elif kind == "deflated":
                inflatable = True
            elif kind in ("rsv1", "rsv2", "rsv3"):
                flags |= RSV1 >> int(kind[3]) - 1
            else:
                raise ValueError(f"not a frame: {line!r}")
            kind, _, rest = rest.partition(" ")
        finished = not kind.endswith("...")
        opcode = OPCODES[kind.removesuffix("...")]
        payload = decode(rest)
        if opcode is Opcode.CLOSE and rest:
            code, _, reason = rest.partition(" ")
            payload = int(code).to_bytes(2, "big") + decode(reason)
        if compressed or inflatable:
            payload = self._deflate(payload, finished)
        frame = serialize_frame(opcode, payload, finished=finished, compressed=compressed, mask=self.key)
        return bytes((frame[0] | flags,)) + frame[1:]

    def _deflate(self, payload: bytes, finished: bool) -> bytes:
        if self.stream is None:
            self.stream = zlib.compressobj(6, zlib.DEFLATED, -self.bits)
        data: bytes = self.stream.compress(payload) + self.stream.flush(zlib.Z_SYNC_FLUSH)
        if finished and not self.keeps:
            self.stream = None
        return (data[:-4] or b"\0") if finished else data


def spell(lines: list[str], masked: bool, settings: DeflateSettings | None = None) -> bytes:
    """Return the octets of frames in the notation."""
    speller = _Speller(masked, settings)
    return b"".join(map(speller.spell, lines))


def parse_socket_event(line: str) -> Event:
    """Return the event that a line of the notation stands for."""
    kind, _, rest = line.partition(" ")
    finished = not kind.endswith("...")
    kind = kind.removesuffix("...")
    if kind == "text":
        return TextFragment(decode(rest).decode(), finished)
    if kind == "binary":
        return BytesFragment(decode(rest), finished)
    if kind in ("ping", "pong"):
        return (Ping if kind == "ping" else Pong)(decode(rest))
    if kind == "close":
        code, _, reason = rest.partition(" ")
        return CloseConnection(int(code), decode(reason).decode())
    if line == "closed":
        return ConnectionClosed()
    raise ValueError(f"not an event: {line!r}")


def _case(topic: str, entry: dict[str, Any]) -> WebSocketCase:
    entry = dict(entry)
    role = Role[entry.pop("role", "server").upper()]
    settings = DEFLATE[entry.pop("deflate", "")]
    fault = Fault[entry.pop("fault", "NONE")]
    told = [f"close {fault.close_code}"] if fault and fault is not Fault.CLOSE_MISSING else []
    case = WebSocketCase(
        id=entry.pop("id"),
        title=entry.pop("title"),
        source=entry.pop("source"),
        topic=topic,
        role=role,
        input=spell(entry.pop("input"), role is Role.SERVER, settings),
        limits=Limits(**entry.pop("limits", {})),
        deflate=settings,
        send=tuple(map(parse_socket_event, entry.pop("send", ()))),
        events=tuple(map(parse_socket_event, entry.pop("events", ()))),
        written=spell(entry.pop("written", told), role is Role.CLIENT, settings),
        fault=fault,
        state=entry.pop("state", "FAILED" if fault else "OPEN"),
        end_of_input=entry.pop("end_of_input", False),
    )
    if entry:
        raise ValueError(f"{case.id}: unknown keys {sorted(entry)}")
    return case


def load_websocket(folder: Path = WEBSOCKET_CASES) -> list[WebSocketCase]:
    """Return every case below `folder`, in order of file name.

    Raises:
        ValueError: a case is not in the notation, or an id is used twice.
    """
    cases: list[WebSocketCase] = []
    for path in sorted(folder.rglob("*.toml")):
        for entry in tomllib.loads(path.read_text())["case"]:
            try:
                cases.append(_case(path.stem, entry))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path.name}: {entry.get('id')}: {error!r}") from error
    ids = [case.id for case in cases]
    twice = {name for name in ids if ids.count(name) > 1}
    if twice:
        raise ValueError(f"ids used twice: {sorted(twice)}")
    return cases
