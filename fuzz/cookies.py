"""Any text as a Cookie field, a parameter list, an Accept field.

Oracles: nothing raises; a cookie that can be written reads back as itself, next to any others; reading is a function
of the parts, so a list of lines reads as the lines joined.
"""

from __future__ import annotations

from highper_http.cookies import format_cookie, parse_cookies
from highper_http.headers import charset_of, parse_parameters
from highper_http.negotiation import parse_accept

__all__ = ["check", "one_input"]


def one_input(data: bytes) -> None:
    """Read `data` as the value of each of the fields."""
    check(data.decode("latin-1"))


def check(value: str) -> None:
    """Run the oracles on one field value.

    Raises:
        AssertionError: an oracle is violated.
    """
    cookies = parse_cookies([value])
    lines = value.split(";")
    assert parse_cookies(lines) == cookies, ("lines", value)
    for name, text in cookies.items():
        assert ";" not in name + text, ("a cookie swallowed the next", value)
        try:
            written = format_cookie(name, text, secure=True)
        except ValueError:
            continue
        assert parse_cookies([written])[name] == text, ("reprint", name, text, written)
    item, parameters = parse_parameters(value)
    assert item == item.lower(), item
    assert all(name == name.lower() for name in parameters), parameters
    charset_of(value)
    assert all(0 <= media_range.weight <= 1000 for media_range in parse_accept(value)), value
