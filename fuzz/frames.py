"""Any bytes as the frames of a WebSocket: oracles a, d and e, and both engines in step.

The first byte of an input sets the stage: role, small bounds, compression, gathering, end of input. After it come the
frames themselves (`raw`), or bytes that spell valid frames and edits of them (`valid`).

a. Any fragmentation of the same bytes gives the same messages, control events, fault, state and output; both engines
   tell a fault behind the same byte.
d. Only the documented exception leaves the parser, and the fault stays.
e. Messages are no longer than their bound, and without compression no longer than what came.

How much of a message was shown before a fault is not promised, so of one that is cut off nothing is compared. Where
a compressed text is neither DEFLATE nor UTF-8, either fault may be seen first: they are one here, and to the peer.
Where a window smaller than zlib's largest was agreed on, zlib lets a message reach behind it as far as what it inflates
in one call goes, so that it depends on the cuts whether a peer that breaks the agreement is refused: a of such a stage
is not asked, the engines still are.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from readings import pieces_of
from settings import ENGINE, OTHER_ENGINE, START_VALID, cuts_of, is_sampled

from highper_core import NEED_DATA, Event, Fault, Limits, RemoteProtocolError, Role
from highper_core.engines import WebSocketConnection
from highper_core.events import BytesFragment, TextFragment
from highper_core.frames import Opcode, serialize_frame
from highper_core.permessage_deflate import Deflate, DeflateSettings

__all__ = ["STAGES", "Stage", "check", "one_input", "spelled"]

SMALL = Limits(websocket_frame=64, websocket_message=96)
DEFAULTS = Limits()
KEEPING = DeflateSettings(server_no_context_takeover=False, client_no_context_takeover=False, memory=1 << 20)
FORGETTING = DeflateSettings()
NARROW = DeflateSettings(server_max_window_bits=9, client_max_window_bits=9)
KEY = b"\x37\xfa\x21\x3d"


@dataclass(frozen=True, slots=True)
class Stage:
    """What a socket is made with."""

    role: Role
    limits: Limits
    deflate: DeflateSettings | None
    gather: bool
    end: bool


STAGES = [
    Stage(role, limits, deflate, gather, end)
    for end in (False, True)
    for gather in (True, False)
    for deflate in (None, KEEPING, None, FORGETTING, None, NARROW)
    for limits in (DEFAULTS, SMALL)
    for role in (Role.SERVER, Role.CLIENT)
]


@dataclass(frozen=True, slots=True)
class SocketReading:
    """What a socket made of some bytes."""

    messages: tuple[str | bytes, ...]
    controls: tuple[Event, ...]
    fault: Fault
    state: str
    written: bytes
    must_close: bool
    refused_at: int = field(compare=False)  # bytes that had been received when the fault was told, -1 for none


def one_input(data: bytes) -> None:
    """Run the oracles on one input of the fuzzer."""
    stage = STAGES[data[0] % len(STAGES)] if data else STAGES[0]
    check(spelled(data[1:], stage) if START_VALID else data[1:], stage, sampled=is_sampled(data))


def check(stream: bytes, stage: Stage, *, sampled: bool = True) -> None:
    """Run the oracles on a stream of frames.

    Raises:
        AssertionError: an oracle is violated.
    """
    whole = _read(ENGINE, stage, [stream] if stream else [])
    pieces = pieces_of(stream, cuts_of(stream))
    cut = _read(ENGINE, stage, pieces)
    assert whole == cut or stage.deflate is NARROW, ("fragmentation", stage, whole, cut)
    most = stage.limits.websocket_message
    for message in whole.messages:
        length = len(message.encode() if isinstance(message, str) else message)
        assert most is None or length <= most, ("bound", length)
        assert stage.deflate is not None or length <= len(stream), ("length", length)
    if sampled:
        other = _read(OTHER_ENGINE, stage, pieces)
        assert cut == other, ("engines", stage, cut, other)
        assert cut.refused_at == other.refused_at, ("engines, where", stage, cut, other)


def _read(engine: str, stage: Stage, pieces: Sequence[bytes]) -> SocketReading:
    settings = stage.deflate
    socket = WebSocketConnection(
        stage.role,
        engine,
        stage.limits,
        deflate=None if settings is None else Deflate(stage.role, settings.parameters, settings),
        mask_source=(lambda _: KEY) if stage.role is Role.CLIENT else None,
        gather=stage.gather,
    )
    messages: list[str | bytes] = []
    controls: list[Event] = []
    text, data = "", b""
    faults: set[Fault] = set()
    written = b""
    received, refused_at = 0, -1
    for now, piece in enumerate([*pieces, b""] if stage.end else pieces):
        received += len(piece)
        socket.receive_data(piece, float(now))
        try:
            while (event := socket.next_event()) is not NEED_DATA:
                if isinstance(event, TextFragment):
                    text += event.text
                    if event.finished:
                        messages.append(text)
                        text = ""
                elif isinstance(event, BytesFragment):
                    data += bytes(event.data)
                    if event.finished:
                        messages.append(data)
                        data = b""
                else:
                    assert isinstance(event, Event), event
                    controls.append(event)
        except RemoteProtocolError as error:
            refused_at = received if not faults else refused_at
            faults.add(error.fault)
        assert len(faults) <= 1, ("the fault did not stay", faults)
        written += socket.data_to_send()
    fault = next(iter(faults), Fault.NONE)
    if settings is not None and fault is Fault.DEFLATE_INVALID:
        fault = Fault.TEXT_INVALID
    shown = tuple(messages), tuple(controls)
    return SocketReading(*shown, fault, socket.state.name, written, socket.must_close, refused_at)


# Spelling


def spelled(data: bytes, stage: Stage) -> bytes:
    """Return valid frames that `data` spells, and edits of them. A function of its arguments."""
    key = KEY if stage.role is Role.SERVER else b""
    letters = iter(data)
    out = bytearray()
    edits: list[tuple[int, int]] = []
    stream = None
    inside: Opcode | None = None
    for letter in letters:
        what, size = letter & 7, letter >> 3
        payload = bytes(next(letters, 0x61) for _ in range(size & 7)) * (1 + size // 8)
        if what == 0:
            edits.append((next(letters, 0) << 8 | next(letters, 0), next(letters, 0)))
        elif what <= 2:
            opcode = Opcode.PING if what == 1 else Opcode.PONG
            out += serialize_frame(opcode, payload[:125], mask=key)
        elif what == 3 and size == 31:
            out += serialize_frame(Opcode.CLOSE, b"\x03\xe8" + payload[:100], mask=key)
        elif inside is not None:
            finished = what != 4
            if stream is not None:
                payload = stream.compress(payload) + stream.flush(zlib.Z_SYNC_FLUSH)
                payload = (payload[:-4] or b"\0") if finished else payload
            out += serialize_frame(Opcode.CONTINUATION, payload, finished=finished, mask=key)
            inside = None if finished else inside
        else:
            opcode, finished = Opcode.TEXT if what & 1 else Opcode.BINARY, what < 6
            compressed = stage.deflate is not None and bool(size & 1)
            stream = None
            if compressed and stage.deflate is not None:
                stream = zlib.compressobj(6, zlib.DEFLATED, -stage.deflate.parameters.client_max_window_bits)
                payload = stream.compress(payload) + stream.flush(zlib.Z_SYNC_FLUSH)
                payload = (payload[:-4] or b"\0") if finished else payload
            out += serialize_frame(opcode, payload, finished=finished, compressed=compressed, mask=key)
            inside = None if finished else opcode
    for place, octet in edits[:8]:
        if out:
            out[place % len(out)] = octet
    return bytes(out)
