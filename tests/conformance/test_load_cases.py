"""The notation says what its README promises."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance.load_cases import decode, load, parse_event

from highper_core import ConnectionClosed, Data, EndOfMessage, InformationalResponse, Request, Response


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb", b"a\r\nb"),
        (r"\r\n\t\s\0\\", b"\r\n\t \0\\"),
        (r"\x00\xff|{}", b"\x00\xff|{}"),
        (r"<\{3*ab}>", b"<ababab>"),
        ("\\{2*a\n\\x80}", b"a\r\n\x80a\r\n\x80"),
        ("a\\\nb", b"ab"),
        ("", b""),
    ],
)
def test_bytes(text: str, expected: bytes) -> None:
    """Text stands for itself, a line break for CRLF, and escapes for the rest."""
    assert decode(text) == expected


@pytest.mark.parametrize("text", [r"\q", r"\xFF", r"\{a*b}", "\u00e9", "\t", "\\"])
def test_what_is_no_notation(text: str) -> None:
    """What the notation does not know is refused, never guessed."""
    with pytest.raises(ValueError, match="not in the notation"):
        decode(text)


def test_events() -> None:
    """Each kind of event has a line."""
    request = parse_event(r"request POST /\x7c 1.0 chunked | a: b: c | d:")
    assert request == Request(
        method=b"POST",
        target=b"/|",
        headers=[(b"a", b"b: c"), (b"d", b"")],
        http_version=b"1.0",
        content_length=-1,
    )
    assert parse_event("interim 103 1.1 Early Hints") == InformationalResponse(status_code=103, reason=b"Early Hints")
    assert parse_event("response 200 1.1") == Response(status_code=200, reason=b"")
    assert parse_event(r"data \{2*a}") == Data(b"aa")
    assert parse_event("end | x: 1") == EndOfMessage([(b"x", b"1")])
    assert parse_event("closed") == ConnectionClosed()
    for text in ("pong", "end now", "closed now", "end | x"):
        with pytest.raises(ValueError, match="not a"):
            parse_event(text)


def test_bad_files_are_refused(tmp_path: Path) -> None:
    """A case that is not understood is named, never skipped."""
    good = '[[case]]\nid = "a"\ntitle = "t"\nsource = "s"\ninput = ""\nbehind = "absent"\n'
    path = tmp_path / "topic.toml"
    path.write_text(good)
    assert [(case.id, case.topic, case.input) for case in load(tmp_path)] == [("a", "topic", b"")]
    for text in (good + 'colour = "red"\n', good.replace("absent", "gone"), good.replace("input", "output"), good * 2):
        path.write_text(text)
        with pytest.raises(ValueError, match="a"):
            load(tmp_path)
