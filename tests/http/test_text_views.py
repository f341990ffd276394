"""Fields, queries and Accept as text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from highper_core.fields import Fields
from highper_http.headers import Headers, charset_of, parse_parameters
from highper_http.negotiation import parse_accept, preferred
from highper_http.query import MultiDict, encode_query, parse_query

FIELDS = Fields(
    [
        (b"host", b"example.com"),
        (b"accept", b"text/html"),
        (b"cookie", b"a=1"),
        (b"Accept", b"*/*;q=0.1"),
        (b"cookie", b"b=2"),
        (b"x-name", b"caf\xe9"),
    ]
)


def test_headers() -> None:
    """A mapping without regard to case; several lines are one value, joined as their grammar says."""
    headers = Headers(FIELDS)
    assert headers["HOST"] == "example.com"
    assert headers["Accept"] == "text/html, */*;q=0.1"
    assert headers["cookie"] == "a=1; b=2"
    assert headers["x-name"] == "caf\xe9"
    assert headers.all("accept") == ["text/html", "*/*;q=0.1"]
    assert headers.all("x-none") == headers.all("caf\xe9") == []
    assert headers.get("x-none", "-") == "-"
    assert "Host" in headers
    assert "x-none" not in headers
    assert b"host" not in headers
    assert list(headers) == ["host", "accept", "cookie", "x-name"]
    assert len(headers) == 4
    assert headers.lines()[3] == ("Accept", "*/*;q=0.1")
    assert repr(Headers(Fields([(b"a", b"b")]))) == "Headers([('a', 'b')])"
    with pytest.raises(KeyError):
        headers["x-none"]


@pytest.mark.parametrize(
    ("value", "item", "parameters"),
    [
        ("", "", {}),
        ("Text/HTML", "text/html", {}),
        ("text/html; Charset=UTF-8", "text/html", {"charset": "UTF-8"}),
        ('a; b="c;d\\"e" ; f=g', "a", {"b": 'c;d"e', "f": "g"}),
        ('a; filename="C:\\temp\\x.txt"', "a", {"filename": "C:\\temp\\x.txt"}),
        ("a; b=1; B=2", "a", {"b": "1"}),
        ("a; ; junk; b = 1; c=2", "a", {"c": "2"}),
        ('a; b="unclosed; c=2', "a", {"c": "2"}),
        ('a; b="x"y; c=2', "a", {"c": "2"}),
        ("a; b=", "a", {"b": ""}),
    ],
)
def test_parameters(value: str, item: str, parameters: dict[str, str]) -> None:
    """RFC 9110 section 5.6.6; what is malformed is passed over, the first of a name counts."""
    assert parse_parameters(value) == (item, parameters)


def test_charset() -> None:
    """The charset of a media type, where it names one."""
    assert charset_of("text/plain; charset=UTF-8") == "utf-8"
    assert charset_of("text/plain; charset=") is charset_of("text/plain") is charset_of(None) is None


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        (b"", []),
        (b"a=1&b=2&a=3", [("a", "1"), ("b", "2"), ("a", "3")]),
        (b"a&b=&=c&&=", [("a", ""), ("b", ""), ("", "c"), ("", "")]),
        (b"a+b=c%20d%2B", [("a b", "c d+")]),
        (b"a=b;c=d", [("a", "b;c=d")]),
        (b"a=b=c", [("a", "b=c")]),
        (b"a=%zz%4", [("a", "%zz%4")]),
        (b"a=%ff%c3%a9\xe9", [("a", "\ufffd\xe9\ufffd")]),
        (b"%61=%00", [("a", "\0")]),
    ],
)
def test_query(query: bytes, pairs: list[tuple[str, str]]) -> None:
    """As browsers write them; what they would not is kept or replaced, never refused."""
    assert parse_query(query) == pairs


@given(st.lists(st.tuples(st.text(), st.text()).filter(any)))
def test_queries_round_trip(pairs: list[tuple[str, str]]) -> None:
    """What is written is read back, in order."""
    pairs = [
        (name.encode("utf-8", "replace").decode(), value.encode("utf-8", "replace").decode()) for name, value in pairs
    ]
    assert parse_query(encode_query(pairs).encode("ascii")) == pairs


def test_multi_dict() -> None:
    """The first value by name, every value on demand, order kept."""
    pairs = MultiDict([("a", 1), ("b", 2), ("a", 3)])
    assert pairs["a"] == 1
    assert pairs.all("a") == [1, 3]
    assert pairs.all("c") == []
    assert pairs.get("c") is None
    assert dict(pairs) == {"a": 1, "b": 2}
    assert len(pairs) == 2
    assert pairs.pairs() == [("a", 1), ("b", 2), ("a", 3)]
    assert repr(pairs) == "MultiDict([('a', 1), ('b', 2), ('a', 3)])"


OFFERS = ["application/json", "text/html;charset=utf-8", "text/plain"]


@pytest.mark.parametrize(
    ("accept", "offer"),
    [
        (None, 0),
        ("", 0),
        ("*/*", 0),
        ("text/html", 1),
        ("TEXT/HTML", 1),
        ("text/*", 1),
        ("text/*;q=0.5, text/plain", 2),
        ("text/plain, text/html", 1),
        ("application/json;q=0.1, text/plain;q=0.2", 2),
        ("text/html;q=0, */*", 0),
        ("application/json;q=0, text/html;q=0.000, */*;q=0.1", 2),
        ("text/html;charset=utf-8;q=0.9, text/html;q=0.1, text/plain;q=0.5", 1),
        ("text/html;charset=latin-1", None),
        ("image/png", None),
        ("*/*;q=0", None),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8", 1),
        ("text/html;q=1.001", 0),
        ("text/html;q=x, text/plain", 2),
        ("*/html, nonsense, text/plain", 2),
        ('text/html;a="b,c";q=0.2, text/plain;q=0.1', 2),
        ("text/plain;q=1.000", 2),
    ],
)
def test_preferred(accept: str | None, offer: int | None) -> None:
    """RFC 9110 section 12.5.1: the most specific range gives the weight, our order breaks ties."""
    assert preferred(accept, OFFERS) == (None if offer is None else OFFERS[offer])
    assert preferred(accept, []) is None


def test_only_the_first_elements_are_read() -> None:
    """Who sends thousands of ranges says nothing by them."""
    assert len(parse_accept("text/html," * 5000)) == 64
    assert parse_accept("a" * 5000 + "/b") == []


@pytest.mark.parametrize("unit", ['\\"', '"', 'a="', '; a="\\"', ";a=b", " ", "; ", '"\\', "a=b ", ';a="b"c'])
@pytest.mark.parametrize("parse", [parse_parameters, parse_accept], ids=["parameters", "accept"])
def test_no_input_makes_parsing_slow(unit: str, parse: object) -> None:
    """Eight times the input takes about eight times as long, where going over it again would take sixty-four."""

    def cost(size: int) -> float:
        text = 'a;b="' + unit * (size // len(unit))
        best = 1.0
        for _ in range(5):
            started = time.process_time_ns()
            parse(text)  # type: ignore[operator]
            best = min(best, (time.process_time_ns() - started) / 1e9)
        return best

    assert cost(400_000) < 32 * cost(50_000) + 0.01
