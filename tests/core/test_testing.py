"""The published tools: ways to cut, the reading of a connection, and the pretend wire."""

from __future__ import annotations

import pytest

from highper_core import (
    END_OF_MESSAGE,
    ConnectionClosed,
    Data,
    Fault,
    HttpConnection,
    Limits,
    RemoteProtocolError,
    Request,
    Response,
    Role,
    State,
)
from highper_core.events import BytesFragment, Ping, TextFragment
from highper_core.testing import SPLITS, ConnectionPair, every_split, merged, read

HOST = (b"host", b"a")
GET = Request(method=b"GET", target=b"/", headers=[HOST])


@pytest.mark.parametrize("name", SPLITS)
@pytest.mark.parametrize("length", [1, 2, 3, 64])
def test_pieces_make_up_the_whole(name: str, length: int) -> None:
    """No way of cutting loses a byte, adds an empty piece, or differs from one call to the next."""
    data = bytes(range(length))
    cuttings = list(SPLITS[name](data))
    assert cuttings == list(SPLITS[name](data))
    for pieces in cuttings:
        assert b"".join(pieces) == data
        assert all(pieces)


def test_every_way_is_taken() -> None:
    """One after the other, each single cut among them."""
    cuttings = list(every_split(b"abc"))
    assert [b"abc"] in cuttings
    assert [b"a", b"bc"] in cuttings
    assert [b"ab", b"c"] in cuttings
    assert [b"a", b"b", b"c"] in cuttings


def test_adjacent_content_is_one() -> None:
    """Where content is cut carries no meaning."""
    assert merged([Data(b"a"), Data(b"b"), END_OF_MESSAGE, Data(b"c")]) == [Data(b"ab"), END_OF_MESSAGE, Data(b"c")]
    assert merged([]) == []


def test_read_without_bytes_pulls_what_is_there(engine_name: str) -> None:
    """Events that wait for nothing new."""
    connection = HttpConnection(Role.SERVER, engine_name)
    assert read(connection) == ([], Fault.NONE)
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert read(connection) == ([GET, END_OF_MESSAGE], Fault.NONE)


@pytest.mark.parametrize("split", SPLITS)
def test_two_sides_agree(engine_name: str, split: str) -> None:
    """Whatever one sends the other sees, and both are in the same states."""
    pair = ConnectionPair(engine_name, engine_name, split=split)
    for _ in range(2):
        assert pair.send(Role.CLIENT, GET, END_OF_MESSAGE) == [GET, END_OF_MESSAGE]
        head = Response(status_code=200, headers=[(b"content-length", b"2")])
        seen = pair.send(Role.SERVER, head, Data(b"ok"), END_OF_MESSAGE)
        assert seen == [Response(status_code=200, headers=head.headers, reason=b"OK"), Data(b"ok"), END_OF_MESSAGE]
        assert pair.client.our_state is pair.server.their_state is State.DONE
        pair.start_next_cycle()
    assert pair.deliver(Role.CLIENT, end=True) == [ConnectionClosed()]


def test_engines_understand_each_other(engine_name: str) -> None:
    """Either engine on either side."""
    for pair in (ConnectionPair(engine_name, "portable"), ConnectionPair("portable", engine_name)):
        assert pair.send(Role.CLIENT, GET, END_OF_MESSAGE) == [GET, END_OF_MESSAGE]


def test_what_the_other_side_refuses_is_raised(engine_name: str) -> None:
    """Its bounds may be narrower than ours."""
    pair = ConnectionPair(engine_name, engine_name, Limits(fields=0))
    with pytest.raises(RemoteProtocolError) as caught:
        pair.send(Role.CLIENT, GET)
    assert caught.value.fault is Fault.TOO_MANY_FIELDS


def test_fragments_of_one_message_are_one() -> None:
    """Those of the next message, of another kind, or behind a control event are not."""
    pieces = [TextFragment("a", False), TextFragment("b"), TextFragment("c", False), Ping(b""), TextFragment("d")]
    assert merged([*pieces]) == [TextFragment("ab"), TextFragment("c", False), Ping(b""), TextFragment("d")]
    assert merged([BytesFragment(b"a", False), BytesFragment(b"b", False)]) == [BytesFragment(b"ab", False)]
