"""Both engines make the same of any frames, in any pieces: the harness of the fuzzer, driven by hypothesis."""

from __future__ import annotations

import frames
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from highper_core import available

pytestmark = pytest.mark.skipif(available()["fast"] is not None, reason="one engine agrees with itself")

stages = st.sampled_from(frames.STAGES)


@settings(deadline=None, max_examples=300)
@given(stage=stages, spelling=st.binary(max_size=60))
def test_frames_that_were_valid(stage: frames.Stage, spelling: bytes) -> None:
    """Valid frames of every kind, and up to eight edits of them."""
    frames.check(frames.spelled(spelling, stage), stage)


@settings(deadline=None, max_examples=300)
@given(stage=stages, stream=st.binary(max_size=80))
def test_any_bytes(stage: frames.Stage, stream: bytes) -> None:
    """Bytes that nobody meant as frames."""
    frames.check(stream, stage)


@settings(deadline=None, max_examples=200)
@given(
    stage=stages, text=st.text(max_size=30), cuts=st.lists(st.integers(0, 200), max_size=4), tail=st.binary(max_size=4)
)
def test_text_in_fragments(stage: frames.Stage, text: str, cuts: list[int], tail: bytes) -> None:
    """Text that is cut anywhere, also within characters, and may end wrongly."""
    data = text.encode() + tail
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    key = frames.KEY if stage.role is frames.Role.SERVER else b""
    stream = b"".join(
        frames.serialize_frame(
            frames.Opcode.TEXT if not at else frames.Opcode.CONTINUATION,
            data[bounds[at] : bounds[at + 1]],
            finished=at == len(bounds) - 2,
            mask=key,
        )
        for at in range(len(bounds) - 1)
    )
    frames.check(stream, stage)
