"""The oracles as hypothesis properties: `python -m pytest fuzz`, with HYPOTHESIS_PROFILE=dev, ci or long.

Failures shrink to a small stream; one that is understood becomes a case under `tests/conformance`.
"""

from __future__ import annotations

import chunked
import http_request
import http_response
import operations
import profiles
import pytest
import strategies
from hypothesis import example, given
from hypothesis import strategies as st
from invariants import check_fragmentation, every_way
from readings import ASKED, pieces_of, read

from highper_core import Fault, Role

profiles.load()


@given(stream=strategies.valid_requests())
def test_valid_request_is_accepted(stream: bytes) -> None:
    """What the generator calls valid is accepted by both engines: the other properties start from real messages."""
    for engine in ("fast", "portable"):
        assert read(Role.SERVER, engine, [stream], end=False).fault is Fault.NONE


@given(stream=strategies.valid_responses())
def test_valid_response_is_accepted(stream: bytes) -> None:
    """As above, for a CLIENT."""
    for engine in ("fast", "portable"):
        assert read(Role.CLIENT, engine, [stream], end=False).fault is Fault.NONE


@given(
    stream=st.one_of(strategies.pipelined_requests(), strategies.mutated_requests(), strategies.raw_streams()),
    small=st.booleans(),
    switch=st.booleans(),
    end=st.booleans(),
)
@example(stream=b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", small=False, switch=False, end=True)
def test_request_stream(stream: bytes, small: bool, switch: bool, end: bool) -> None:
    """Every oracle on requests."""
    http_request.check(stream, small=small, switch=switch, end=end)


@given(
    stream=st.one_of(strategies.mutated_responses(), strategies.raw_streams()),
    small=st.booleans(),
    asked=st.sampled_from(list(ASKED)),
    end=st.booleans(),
)
def test_response_stream(stream: bytes, small: bool, asked: bytes, end: bool) -> None:
    """Every oracle on responses."""
    http_response.check(stream, small=small, asked=asked, end=end)


@given(body=strategies.chunked_bodies(), small=st.booleans())
def test_chunked_body(body: bytes, small: bool) -> None:
    """Every oracle on chunked bodies."""
    http_request.check(chunked.HEAD + body + chunked.NEXT, small=small)


@pytest.mark.parametrize("engine", ["fast", "portable"])
@given(stream=strategies.mutated_requests(), cuts=strategies.cuts())
def test_fragmentation(engine: str, stream: bytes, cuts: list[int]) -> None:
    """Oracle a with free cuts, and every way for short streams."""
    whole = read(Role.SERVER, engine, [stream])
    check_fragmentation(whole, read(Role.SERVER, engine, pieces_of(stream, cuts)))
    for pieces in every_way(stream[:40]) if len(stream) <= 40 else []:
        check_fragmentation(whole, read(Role.SERVER, engine, pieces))


@given(program=strategies.programs())
def test_operations(program: bytes) -> None:
    """Both engines in step through any sequence of calls."""
    operations.one_input(program)
