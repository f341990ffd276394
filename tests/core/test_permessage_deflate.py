"""Agreement on compression, and its streams against zlib's own."""

from __future__ import annotations

import random
import zlib
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from highper_core.errors import Fault, RemoteProtocolError
from highper_core.handshake import parse_extensions
from highper_core.permessage_deflate import (
    TAIL,
    Deflate,
    Deflater,
    DeflateSettings,
    Inflater,
    Parameters,
    accept_offer,
    accept_response,
)
from highper_core.state import Role

OPEN = DeflateSettings(server_no_context_takeover=False, client_no_context_takeover=False, memory=1 << 20)
FORGETTING = DeflateSettings()


def offered(text: bytes, settings: DeflateSettings) -> Parameters | None:
    elements = parse_extensions([text])
    assert elements is not None
    return accept_offer(elements, settings)


def answered(text: bytes, settings: DeflateSettings) -> Parameters | None:
    elements = parse_extensions([text])
    assert elements is not None
    return accept_response(elements[0][1], settings)


# Agreement


@pytest.mark.parametrize(
    ("offer", "agreed"),
    [
        (b"permessage-deflate", Parameters()),
        (b"permessage-deflate; client_max_window_bits", Parameters()),
        (b"permessage-deflate; client_max_window_bits=10", Parameters(client_max_window_bits=10)),
        (b"permessage-deflate; server_max_window_bits=10", Parameters(server_max_window_bits=10)),
        (b'permessage-deflate; server_max_window_bits="8"', Parameters(server_max_window_bits=8)),
        (b"permessage-deflate; server_no_context_takeover", Parameters(server_no_context_takeover=True)),
        (b"permessage-deflate; client_no_context_takeover", Parameters(client_no_context_takeover=True)),
        (b"x-webkit-deflate-frame, permessage-deflate", Parameters()),
        (b"permessage-deflate; server_max_window_bits=16, permessage-deflate", Parameters()),
        (b"permessage-deflate; server_max_window_bits=7", None),
        (b"permessage-deflate; server_max_window_bits", None),
        (b"permessage-deflate; server_max_window_bits=+9", None),
        (b"permessage-deflate; server_max_window_bits=09", None),
        (b"permessage-deflate; client_max_window_bits=1_0", None),
        (b"permessage-deflate; server_no_context_takeover=1", None),
        (b"permessage-deflate; server_no_context_takeover; server_no_context_takeover", None),
        (b"permessage-deflate; level=9", None),
        (b"permessage-deflate; Server_no_context_takeover", None),
        (b"permessage-bzip2", None),
    ],
)
def test_offers(offer: bytes, agreed: Parameters | None) -> None:
    """The first that can be taken up is; one that is malformed is declined. Source: RFC 7692 section 7.1."""
    assert offered(offer, OPEN) == agreed


def test_a_server_asks_for_more_than_it_was_offered() -> None:
    """It may forget contexts, have the client forget, and shrink windows, the client's only where that is offered."""
    assert offered(b"permessage-deflate", FORGETTING) == Parameters(True, True)
    small = DeflateSettings(server_max_window_bits=9, client_max_window_bits=10)
    assert offered(b"permessage-deflate", small) is None
    assert offered(b"permessage-deflate; client_max_window_bits", small) == Parameters(True, True, 9, 10)
    asked = b"permessage-deflate; client_max_window_bits=9; server_max_window_bits=12"
    assert offered(asked, small) == Parameters(True, True, 9, 9)


@pytest.mark.parametrize(
    ("answer", "settings", "agreed"),
    [
        (b"permessage-deflate", OPEN, Parameters()),
        (b"permessage-deflate; server_no_context_takeover", OPEN, Parameters(True)),
        (b"permessage-deflate; client_max_window_bits=9", OPEN, Parameters(client_max_window_bits=9)),
        (b"permessage-deflate; server_max_window_bits=9", OPEN, Parameters(server_max_window_bits=9)),
        (b"permessage-deflate; client_max_window_bits", OPEN, None),
        (b"permessage-deflate; client_max_window_bits=16", OPEN, None),
        (b"permessage-deflate; x", OPEN, None),
        (b"permessage-deflate", FORGETTING, None),
        (b"permessage-deflate; server_no_context_takeover", FORGETTING, Parameters(True, True)),
        (
            b"permessage-deflate",
            DeflateSettings(server_no_context_takeover=False, server_max_window_bits=12, memory=1 << 20),
            None,
        ),
    ],
)
def test_answers(answer: bytes, settings: DeflateSettings, agreed: Parameters | None) -> None:
    """A client takes what it asked for or more of it, and fails on less. Source: RFC 7692 section 7.1."""
    assert answered(answer, settings) == agreed


def test_both_sides_agree_on_one_thing() -> None:
    """Whatever the two are ready for, the server's answer to the client's offer is one the client takes."""
    flags, bits = (False, True), (8, 9, 12, 15)
    ready = [
        DeflateSettings(
            server_no_context_takeover=server,
            client_no_context_takeover=client,
            server_max_window_bits=ours,
            client_max_window_bits=theirs,
            memory=1 << 20,
        )
        for server, client, ours, theirs in product(flags, flags, bits, bits)
    ]
    for client, server in product(ready, ready):
        agreed = offered(client.offer(), server)
        assert agreed is not None
        taken = answered(agreed.element(), client)
        assert taken is not None
        assert taken._replace(client_no_context_takeover=agreed.client_no_context_takeover) == agreed
        for role, settings in ((Role.SERVER, server), (Role.CLIENT, client)):
            wanted, made = settings.parameters, Deflate(role, taken, settings)
            assert made.receive_bits <= (wanted[3] if role is Role.SERVER else wanted[2])
            assert made.memory <= Deflate(role, wanted, settings).memory


def test_settings_are_judged_when_they_are_made() -> None:
    """Out of range, or dearer than allowed."""
    for name, value in (
        ("server_max_window_bits", 7),
        ("client_max_window_bits", 16),
        ("level", 10),
        ("memory_level", 0),
    ):
        with pytest.raises(ValueError, match=name):
            DeflateSettings(**{name: value})
    with pytest.raises(ValueError, match="bytes would be kept"):
        DeflateSettings(server_no_context_takeover=False)
    kept = DeflateSettings(server_no_context_takeover=False, server_max_window_bits=9, memory_level=1)
    assert Deflate(Role.SERVER, kept.parameters, kept).memory <= 16 * 1024
    assert Deflate(Role.SERVER, FORGETTING.parameters, FORGETTING).memory == 0


def test_what_is_worth_compressing() -> None:
    """Messages from a length on, and those whose length is not known yet; none into a window zlib does not have."""
    deflate = Deflate(Role.SERVER, Parameters(), DeflateSettings(threshold=10))
    assert [deflate.compresses(length, finished=True) for length in (9, 10)] == [False, True]
    assert deflate.compresses(0, finished=False)
    assert not Deflate(Role.CLIENT, Parameters(client_max_window_bits=8), FORGETTING).compresses(99, finished=True)


# Streams


def inflate(stream: Inflater, payload: bytes, most: int = 1 << 20) -> bytes:
    """What a whole message inflates to."""
    found = b""
    for give in (lambda: stream.receive(payload), stream.end):
        give()
        while piece := stream.inflate(most):
            assert len(piece) <= most
            found += piece
    stream.ended()
    return found


messages = st.lists(st.one_of(st.binary(max_size=300), st.text("ab", max_size=400).map(str.encode)), max_size=6)


@given(messages=messages, bits=st.integers(9, 15), takeover=st.booleans(), most=st.integers(1, 500), data=st.data())
def test_streams_against_zlib(messages: list[bytes], bits: int, takeover: bool, most: int, data: st.DataObject) -> None:
    """What we deflate zlib inflates, and what zlib deflates we inflate, in any fragments, whatever is kept."""
    ours, theirs = Deflater(bits, takeover, 6, 8), zlib.decompressobj(-bits)
    mine, stream = Inflater(bits, takeover), zlib.compressobj(6, zlib.DEFLATED, -bits)
    for message in messages:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(message)), max_size=3)))
        bounds = [0, *cuts, len(message)]
        pieces = [message[start:stop] for start, stop in pairwise(bounds)]
        payload = b"".join(ours.deflate(piece, at == len(pieces) - 1) for at, piece in enumerate(pieces))
        assert payload
        if not takeover:
            theirs, stream = zlib.decompressobj(-bits), zlib.compressobj(6, zlib.DEFLATED, -bits)
        assert theirs.decompress(payload + TAIL) == message
        packed = stream.compress(message) + stream.flush(zlib.Z_SYNC_FLUSH)
        assert inflate(mine, packed.removesuffix(TAIL) or b"\0", most) == message
        if data.draw(st.booleans()) and takeover:
            ours.reset()


@given(message=st.binary(max_size=2000), bits=st.integers(9, 15))
def test_a_message_from_an_empty_context_is_read_by_any_window_as_large(message: bytes, bits: int) -> None:
    """Compressed with the smallest window of many, it is read by all of them, whatever they have read before."""
    packed = Deflater(bits, False, 6, 8).deflate(message, True)
    for window in range(bits, 16):
        reader = Inflater(window, True)
        for before in (b"", b"before " * 100):
            inflate(reader, Deflater(window, False, 6, 8).deflate(before, True))
            assert inflate(reader, packed) == message


def test_a_bomb_gives_no_more_than_it_is_asked_for() -> None:
    """A hundred mebibytes in a hundred kibibytes come in pieces, for as long as somebody asks."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(stream.compress(bytes(1 << 20)) for _ in range(100)) + stream.flush(zlib.Z_SYNC_FLUSH)
    assert len(bomb) < 1 << 17
    inflater = Inflater(15, False)
    inflater.receive(bomb)
    assert [len(inflater.inflate(1 << 16)) for _ in range(20)] == [1 << 16] * 20
    assert len(inflater.inflate(1)) == 1


def test_streams_within_one_message() -> None:
    """Blocks with BFINAL set, each a stream of its own, many of them, in time that follows their length."""
    final = zlib.compressobj(6, zlib.DEFLATED, -15)
    block = final.compress(b"hello") + final.flush()
    assert inflate(Inflater(15, True), block * 3 + b"\0") == b"hello" * 3
    assert inflate(Inflater(15, False), b"\x03\x00" * 20000 + b"\0") == b""


def test_what_deflate_never_makes() -> None:
    """Is a fault, and nothing else, whatever it is."""
    source = random.Random(5)
    kinds = set()
    for _ in range(2000):
        inflater = Inflater(15, bool(source.getrandbits(1)))
        try:
            inflate(inflater, source.randbytes(source.randrange(1, 40)))
        except RemoteProtocolError as error:
            kinds.add(error.fault)
    assert kinds == {Fault.DEFLATE_INVALID}


def test_output_that_fills_the_bound_exactly() -> None:
    """What zlib still holds when its input is used up is asked for, too."""
    for size in range(250, 530, 7):
        packed = Deflater(15, False, 9, 8).deflate(b"a" * size, True)
        for most in (1, 2, 250, 258, 259, size):
            assert inflate(Inflater(15, False), packed, most) == b"a" * size
