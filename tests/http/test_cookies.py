"""Cookies read and written."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta, timezone
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from highper_http.cookies import format_cookie, parse_cookies

OCTETS = "!#$%&'()*+-./0123456789:<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~"
TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    ("line", "cookies"),
    [
        ("", {}),
        ("a=b", {"a": "b"}),
        ("a=b; c=d", {"a": "b", "c": "d"}),
        ("a=b;c=d;", {"a": "b", "c": "d"}),
        (" a = b ;\tc\t=\td", {"a": "b", "c": "d"}),
        ("a=b=c", {"a": "b=c"}),
        ("a=", {"a": ""}),
        ("a", {}),
        ("=b", {}),
        ("a=first; a=second", {"a": "first"}),
        ('a="b"', {"a": "b"}),
        ('a="', {"a": '"'}),
        ('a=""', {"a": ""}),
        ('a="b; c=d"', {"a": '"b', "c": 'd"'}),
        (r'a="\"\073\\"', {"a": r"\"\073\\"}),
        ("a=%3B%20", {"a": "%3B%20"}),
        ("a[b]=c", {"a[b]": "c"}),
        ("\xa0__Host-a=evil; __Host-a=good", {"\xa0__Host-a": "evil", "__Host-a": "good"}),
        ("a=\u2000b", {"a": "\u2000b"}),
        ("$Version=1; a=b", {"$Version": "1", "a": "b"}),
    ],
)
def test_reading(line: str, cookies: dict[str, str]) -> None:
    """Semicolons separate, whatever stands around them; nothing is decoded."""
    assert parse_cookies([line]) == cookies


def test_several_lines_are_one_list() -> None:
    """RFC 9113 section 8.2.3 lets a client cut the field; the first of a name counts."""
    assert parse_cookies(["a=1", "b=2; a=3"]) == {"a": "1", "b": "2"}
    assert parse_cookies([]) == {}


@given(st.dictionaries(st.text(TOKEN, min_size=1), st.text(OCTETS), max_size=5))
def test_what_is_written_is_read(cookies: dict[str, str]) -> None:
    """A client sends pairs back as they were set."""
    pairs = [format_cookie(name, value, secure=True, path="/").split(";")[0] for name, value in cookies.items()]
    assert parse_cookies(["; ".join(pairs)]) == cookies


def test_writing() -> None:
    """Every attribute, in one fixed order."""
    moment = datetime(2030, 1, 2, 4, 4, 5, tzinfo=timezone(timedelta(hours=1)))
    line = format_cookie(
        "sid",
        "1",
        max_age=60,
        expires=moment,
        domain="example.com",
        path="/a b",
        secure=True,
        http_only=True,
        same_site="none",
        partitioned=True,
    )
    assert line == (
        "sid=1; Max-Age=60; Expires=Wed, 02 Jan 2030 03:04:05 GMT; Domain=example.com; Path=/a b; "
        "Secure; HttpOnly; Partitioned; SameSite=None"
    )
    assert format_cookie("a", "", path=None) == "a="
    assert format_cookie("a", "b", same_site="lax", max_age=-1) == "a=b; Max-Age=-1; Path=/; SameSite=Lax"
    assert format_cookie("__Host-a", "b", secure=True) == "__Host-a=b; Path=/; Secure"


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": ""},
        {"name": "a b"},
        {"name": "a="},
        {"name": "a\r\n"},
        {"name": "\xe9"},
        {"value": "a b"},
        {"value": "a;b"},
        {"value": "a,b"},
        {"value": 'a"b'},
        {"value": "a\\b"},
        {"value": "a\r\nset-cookie: x=y"},
        {"value": "a\n"},
        {"value": "\xe9"},
        {"value": "\x7f"},
        {"value": "x" * 4096},
        {"path": "relative"},
        {"path": "/;secure"},
        {"path": "/\r\n"},
        {"path": "/" * 1025},
        {"domain": "a b"},
        {"domain": "example.com; x"},
        {"domain": "-"},
        {"domain": ""},
        {"expires": datetime(2030, 1, 1)},
        {"same_site": "none"},
        {"partitioned": True},
        {"name": "__Secure-a"},
        {"name": "__secure-a"},
        {"name": "__Host-a"},
        {"name": "__Host-a", "secure": True, "path": "/x"},
        {"name": "__Host-a", "secure": True, "path": None},
        {"name": "__HOST-a", "secure": True, "domain": "example.com"},
    ],
)
def test_refusing(arguments: dict[str, Any]) -> None:
    """Nothing is written that a client would read as something else, or not keep."""
    arguments = {"name": "a", "value": "b", **arguments}
    with pytest.raises(ValueError, match="cookie"):
        format_cookie(**arguments)


def test_expiry_in_utc() -> None:
    """The moment is written in GMT whatever its zone."""
    assert "Expires=Tue, 01 Jan 2030 00:00:00 GMT" in format_cookie("a", "b", expires=datetime(2030, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("unit", ['a="\\"', "a=;", '"', "\\073", "a=b; ", "=", ";"])
def test_reading_is_linear(unit: str) -> None:
    """Twice the input, twice the steps: what a quoted value made quadratic elsewhere (CVE-2024-52804)."""

    def steps(line: str) -> int:
        count = 0

        def trace(frame: FrameType, event: str, argument: object) -> Any:
            nonlocal count
            count += event == "line"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            parse_cookies([line])
        finally:
            sys.settrace(before)
        return count

    assert steps(unit * 2000) <= 2 * steps(unit * 1000) + 10
