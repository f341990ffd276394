"""Both engines make the same of the same: streams as generated, mutated, pipelined, cut; and any sequence of calls.

Equal are events, faults, states, written bytes, leftover bytes, deadlines and refusals. The generators are those of
`fuzz`, which runs them for longer and with more oracles; every find becomes an explicit example here or a case.
"""

from __future__ import annotations

from itertools import zip_longest

import pytest
import strategies
from hypothesis import example, given, settings
from hypothesis import strategies as st
from operations import OPERATIONS, run_program
from readings import ASKED, SMALL, pieces_of, read

from highper_core import HttpConnection, Limits, Role, available

pytestmark = pytest.mark.skipif(available()["fast"] is not None, reason="the fast engine is not built")

FEW = settings(max_examples=300, deadline=None)
requests = st.one_of(strategies.pipelined_requests(), strategies.mutated_requests(), strategies.raw_streams())
responses = st.one_of(strategies.valid_responses(), strategies.mutated_responses(), strategies.raw_streams())


@FEW
@given(stream=requests, cuts=strategies.cuts(), small=st.booleans(), end=st.booleans())
@example(stream=b"GET / HTTP/1.1\r\nhost: a%zz\r\n\r\n", cuts=[], small=False, end=True)
@example(stream=b"\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n\r\n\r\n", cuts=[1, 2, 3], small=False, end=True)
@example(stream=b"\r", cuts=[], small=False, end=True)
@example(stream=b"\n", cuts=[], small=False, end=True)
def test_requests(stream: bytes, cuts: list[int], small: bool, end: bool) -> None:
    """Requests, as a SERVER reads and answers them."""
    readings = [
        read(Role.SERVER, engine, pieces, limits=SMALL if small else None, end=end)
        for engine in ("fast", "portable")
        for pieces in ([stream] if stream else [], pieces_of(stream, cuts))
    ]
    assert all(_seen(one) == _seen(readings[0]) for one in readings)


@FEW
@given(
    stream=responses,
    cuts=strategies.cuts(),
    small=st.booleans(),
    end=st.booleans(),
    asked=st.sampled_from(list(ASKED)),
)
def test_responses(stream: bytes, cuts: list[int], small: bool, end: bool, asked: bytes) -> None:
    """Responses, as a CLIENT reads them."""
    readings = [
        read(Role.CLIENT, engine, pieces, limits=SMALL if small else None, end=end, asked=asked)
        for engine in ("fast", "portable")
        for pieces in ([stream] if stream else [], pieces_of(stream, cuts))
    ]
    assert all(_seen(one) == _seen(readings[0]) for one in readings)


@FEW
@given(body=strategies.chunked_bodies(), cuts=strategies.cuts(), small=st.booleans())
@example(body=b"7fffffffffffffff\r\nabc", cuts=[], small=True)
@example(body=b"ffffffffffffffff\r\nabc", cuts=[], small=False)
@example(body=b'1;a=b;c="d\\""\r\nx\r\n0\r\nx: y\r\n\r\n', cuts=[3], small=False)
@example(body=b"\r\n", cuts=[1], small=False)
@example(body=b"0\r\nhost: a\r\n\r\n", cuts=[1], small=False)
@example(body=b"0\r\nx : a\r\n\r\n", cuts=[], small=False)
def test_chunked(body: bytes, cuts: list[int], small: bool) -> None:
    """Chunked content, its extensions and trailers."""
    stream = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" + body
    readings = [
        read(Role.SERVER, engine, pieces, limits=SMALL if small else None)
        for engine in ("fast", "portable")
        for pieces in ([stream], pieces_of(stream, cuts))
    ]
    assert all(_seen(one) == _seen(readings[0]) for one in readings)


@settings(max_examples=600, deadline=None)
@given(
    program=st.lists(st.integers(0, len(OPERATIONS) - 1), max_size=40).map(bytes),
    role=st.sampled_from(list(Role)),
    small=st.booleans(),
    drained=st.booleans(),
)
def test_operations(program: bytes, role: Role, small: bool, drained: bool) -> None:
    """Any sequence of calls shows the same at every step."""
    limits = SMALL if small else Limits()
    fast, portable = (
        run_program(HttpConnection(role, engine=engine, limits=limits), program, drained)
        for engine in ("fast", "portable")
    )
    for step, other in zip_longest(fast, portable):
        assert step == other


def _seen(reading: object) -> tuple[object, ...]:
    """What of a reading must be equal, however the stream was cut: everything but the number of steps."""
    names = ("events", "fault", "states", "written", "trailing")
    return tuple(getattr(reading, name) for name in names)
