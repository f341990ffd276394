"""One message, framed and compressed once for many: judged by zlib, over both engines."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from highper_core import Limits, Role
from highper_core.engines import WebSocketConnection, available
from highper_core.frames import Opcode
from highper_core.permessage_deflate import TAIL, Deflate, DeflateSettings, Parameters
from highper_http.event_text import format_event, format_retry
from highper_http.hub.publication import EVENTS, PLAIN, Compression, Publication, form_of

ENGINES = [name for name, reason in available().items() if reason is None]
WORDS = ["hub", "socket", "a", "topic", "0123456789" * 4, "ΣΩ", "\x00"]
PIECES = st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join)
MESSAGES = PIECES | st.binary(max_size=700) | st.text(max_size=40) | PIECES.map(lambda text: text * 20)


class Peer:
    """A server's socket and a client that is nothing but zlib: it takes frames and keeps its context."""

    def __init__(self, engine: str, bits: int, takeover: bool, deflate: bool) -> None:
        settings = DeflateSettings(memory=1 << 20)
        agreed = Deflate(Role.SERVER, Parameters(not takeover, True, bits, 15), settings) if deflate else None
        self.socket = WebSocketConnection(Role.SERVER, engine, Limits(), deflate=agreed)
        self.form = form_of(bits if deflate else None)
        self._bits = bits
        self._takeover = takeover
        self._stream = zlib.decompressobj(-bits)

    def read(self) -> list[str | bytes]:
        data, messages = self.socket.data_to_send(), []
        while data:
            first, length = data[0], data[1]
            size = {126: 2, 127: 8}.get(length, 0)
            if size:
                length = int.from_bytes(data[2 : 2 + size], "big")
            payload, data = data[2 + size : 2 + size + length], data[2 + size + length :]
            assert len(payload) == length
            if first & 0x40:
                payload = self._stream.decompress(payload + TAIL)
                if not self._takeover:
                    self._stream = zlib.decompressobj(-self._bits)
            messages.append(payload.decode() if first & 15 == Opcode.TEXT else payload)
        return messages


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=150, deadline=None)
@given(
    peers=st.lists(st.tuples(st.integers(8, 15), st.booleans(), st.booleans()), min_size=1, max_size=5),
    steps=st.lists(st.tuples(st.integers(-1, 4), MESSAGES), max_size=12),
    level=st.integers(1, 9),
)
def test_zlib_reads_what_many_share(
    engine: str,
    peers: list[tuple[int, bool, bool]],
    steps: list[tuple[int, str | bytes]],
    level: int,
) -> None:
    """Whatever windows and contexts the sockets have, and whatever each was sent alone in between (RFC 7692)."""
    sockets = [Peer(engine, *agreed) for agreed in peers]
    for whom, message in steps:
        if 0 <= whom < len(sockets):
            sockets[whom].socket.send_message(message)
            assert sockets[whom].read() == [message]
            continue
        publication = Publication(message, Compression(level))
        for peer in sockets:
            peer.socket.send_framed(*publication.encoded(peer.form))
            assert peer.read() == [message]


def test_a_short_message_is_compressed_once_for_every_window() -> None:
    """A window beyond the message gains nothing, so one as long as the message serves all larger ones."""
    publication = Publication("hub " * 40, Compression())
    encoded = [publication.encoded(bits) for bits in range(9, 16)]
    assert all(found is encoded[0] for found in encoded)
    assert encoded[0][1]


def test_a_long_message_is_compressed_once_for_each_window() -> None:
    """And no more often: a second socket of the same window gets the same bytes."""
    publication = Publication("".join(map(chr, range(33, 127))) * 2000, Compression())
    encoded = {bits: publication.encoded(bits) for bits in range(9, 16)}
    assert len({id(data) for data, _ in encoded.values()}) == 7
    assert all(publication.encoded(bits) is found for bits, found in encoded.items())


@pytest.mark.parametrize("message", ["x" * 60, bytes(range(256))], ids=["short", "incompressible"])
def test_what_compression_does_not_shorten_is_sent_as_it_is(message: str | bytes) -> None:
    """Below the threshold it is not tried."""
    publication = Publication(message, Compression(threshold=64))
    assert publication.encoded(15) is publication.encoded(PLAIN)


def test_a_window_of_eight_bits_is_sent_plain_messages() -> None:
    """zlib has no such window, and a sender may always leave a message as it is."""
    assert form_of(8) == form_of(None) == PLAIN
    assert form_of(EVENTS) == EVENTS


@pytest.mark.parametrize("options", [{"level": 0}, {"memory_level": 10}, {"threshold": -1}])
def test_compression_in_its_bounds(options: dict[str, int]) -> None:
    """What zlib does not know is refused when it is said."""
    with pytest.raises(ValueError, match="levels"):
        Compression(**options)


# Events


def test_an_event_is_written_by_the_standard() -> None:
    """HTML Living Standard, section 9.2.6: each line of the data is a field."""
    assert format_event("a\nb\r\nc\rd", name="note", identity="7") == (
        b"id: 7\nevent: note\ndata: a\ndata: b\ndata: c\ndata: d\n\n"
    )
    assert format_event("") == b"data: \n\n"
    assert format_event("line\u2028separator") == "data: line\u2028separator\n\n".encode()
    assert format_retry(1.5) == b"retry: 1500\n\n"


@pytest.mark.parametrize(
    "options", [{"name": "a\nb"}, {"name": "a\r"}, {"identity": "a\0"}, {"identity": "a\n"}], ids=repr
)
def test_what_a_field_cannot_hold_is_refused(options: dict[str, str]) -> None:
    """Nothing is smuggled into the stream."""
    with pytest.raises(ValueError, match="holds"):
        format_event("x", **options)  # type: ignore[arg-type]


def test_bytes_are_base64_for_readers_of_events() -> None:
    """An event holds text only."""
    assert Publication(b"\xff\x00", Compression()).encoded(EVENTS) == (b"data: /wA=\n\n", False)
