"""Hypothesis strategies: valid and mutated messages of both roles, pipelined streams, cuts, programs of operations."""

from __future__ import annotations

from hypothesis import strategies as st
from messages import EDIT, SETTINGS, TOKENS, chunked_of, request_of, response_of, valid_request, valid_response
from operations import OPERATIONS

__all__ = [
    "chunked_bodies",
    "cuts",
    "mutated_requests",
    "mutated_responses",
    "pipelined_requests",
    "programs",
    "raw_streams",
    "valid_requests",
    "valid_responses",
]

_spelling = st.binary(min_size=SETTINGS, max_size=SETTINGS)
_edits = st.lists(st.binary(min_size=EDIT, max_size=EDIT), min_size=1, max_size=8).map(b"".join)


def valid_requests() -> st.SearchStrategy[bytes]:
    """One request that breaks no rule."""
    return _spelling.map(valid_request)


def valid_responses() -> st.SearchStrategy[bytes]:
    """One response that breaks no rule, perhaps behind an interim response."""
    return _spelling.map(valid_response)


def pipelined_requests(most: int = 5) -> st.SearchStrategy[bytes]:
    """Several valid requests in a row."""
    return st.lists(valid_requests(), min_size=2, max_size=most).map(b"".join)


def mutated_requests() -> st.SearchStrategy[bytes]:
    """One or two requests with one to eight edits."""
    return st.builds(_spelt, st.just(request_of), st.booleans(), _spelling, _spelling, _edits)


def mutated_responses() -> st.SearchStrategy[bytes]:
    """One or two responses with one to eight edits."""
    return st.builds(_spelt, st.just(response_of), st.booleans(), _spelling, _spelling, _edits)


def chunked_bodies() -> st.SearchStrategy[bytes]:
    """One or two chunked bodies with one to eight edits."""
    return st.builds(_spelt, st.just(chunked_of), st.booleans(), _spelling, _spelling, _edits)


def raw_streams() -> st.SearchStrategy[bytes]:
    """Bytes, and pieces of grammar, in any order."""
    return st.lists(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=8)), max_size=40).map(b"".join)


def cuts(most: int = 8) -> st.SearchStrategy[list[int]]:
    """Offsets to cut a stream at; those outside it do nothing."""
    return st.lists(st.integers(min_value=1, max_value=600), max_size=most)


def programs() -> st.SearchStrategy[bytes]:
    """A role with bounds, and operations on a connection, as `operations.one_input` spells them."""
    codes = st.integers(min_value=0, max_value=len(OPERATIONS) - 1)
    return st.tuples(st.integers(0, 7), st.lists(codes, max_size=30)).map(lambda both: bytes([both[0], *both[1]]))


def _spelt(build: object, two: bool, first: bytes, second: bytes, edits: bytes) -> bytes:
    assert callable(build)
    stream: bytes = build(bytes([two]) + first + (second if two else b"") + edits)
    return stream
