"""Where URLs lead, and how long to wait before trying again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from highper_core import HttpConnection, Role
from highper_core.handshake import ClientOpening
from highper_http.websocket.backoff import Backoff
from highper_http.websocket.destination import parse_proxy, parse_websocket


@pytest.mark.parametrize(
    ("url", "secure", "host", "port", "authority", "target"),
    [
        ("ws://example.org", False, "example.org", 80, b"example.org", b"/"),
        ("wss://example.org/", True, "example.org", 443, b"example.org", b"/"),
        ("WS://Example.ORG:80/a", False, "example.org", 80, b"example.org", b"/a"),
        ("wss://example.org:8443/a/b?c=d", True, "example.org", 8443, b"example.org:8443", b"/a/b?c=d"),
        ("ws://[::1]:9000/", False, "::1", 9000, b"[::1]:9000", b"/"),
        ("ws://[2001:db8::1]", False, "2001:db8::1", 80, b"[2001:db8::1]", b"/"),
        ("ws://a?b", False, "a", 80, b"a", b"/?b"),
        ("ws://a:0/", False, "a", 0, b"a:0", b"/"),
        (
            "ws://b\u00fccher.example/\u00fc?\u00fc",
            False,
            "xn--bcher-kva.example",
            80,
            b"xn--bcher-kva.example",
            b"/%C3%BC?%C3%BC",
        ),
        ("ws://a/%2F%C3%BC?a=%20&b=[]", False, "a", 80, b"a", b"/%2F%C3%BC?a=%20&b=%5B%5D"),
    ],
)
def test_a_url_leads_somewhere(url: str, secure: bool, host: str, port: int, authority: bytes, target: bytes) -> None:
    assert parse_websocket(url) == (secure, host, port, authority, target, None)


def test_a_user_in_a_url_is_authorized() -> None:
    """RFC 7617 section 2.1 has the example; what was encoded for the URL is decoded for the field."""
    assert parse_websocket("ws://Aladdin:open%20sesame@a/").authorization == b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert parse_websocket("ws://Aladdin@a/").authorization == b"Basic QWxhZGRpbjo="
    found = parse_proxy("https://u:p@proxy.example:3128")
    assert (found.secure, found.host, found.port, found.authorization) == (True, "proxy.example", 3128, b"Basic dTpw")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a",
        "//a/",
        "http://a/",
        "wsx://a/",
        "ws:///a",
        "ws://",
        "ws://:80/",
        "ws://a:99999/",
        "ws://a:b/",
        "ws://a:-1/",
        "ws://[::1/",
        "ws://[x]/",
        "ws://a/#",
        "ws://a/#b",
        "ws://a /",
        "ws://a/b c",
        "ws://a/\r\nx-evil: 1",
        "ws://a\x00/",
        "ws://a/\x7f",
    ],
)
def test_what_is_no_url_of_a_websocket_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|[Pp]ort|IPv6|address"):
        parse_websocket(url)


@pytest.mark.parametrize("user", ["a%3Ab:c", "a%0Ab:c", "a:b%0D", "a%00:b"])
def test_credentials_that_would_be_read_otherwise_are_refused(user: str) -> None:
    """A colon ends the name of a user, and controls are nobody's."""
    with pytest.raises(ValueError, match="user"):
        parse_websocket(f"ws://{user}@site.example/")


@pytest.mark.parametrize("url", ["ws://a", "http://a/b", "https://a?b", "socks5://a"])
def test_what_is_no_url_of_a_proxy_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"http|port"):
        parse_proxy(url)


@given(st.text())
def test_what_is_accepted_can_be_sent(url: str) -> None:
    """Whatever stands behind the scheme: it is refused, or makes a request that the writer takes."""
    try:
        found = parse_websocket("ws://" + url)
    except ValueError:
        return
    connection = HttpConnection(Role.CLIENT)
    connection.send_message(ClientOpening(found.authority, found.target, nonce=bytes(16)).request)
    head = connection.data_to_send()
    assert head.startswith(b"GET " + found.target + b" HTTP/1.1\r\nhost: " + found.authority + b"\r\n")


def test_waits_grow_to_their_bound() -> None:
    backoff = Backoff(first=1.0, factor=2.0, longest=10.0, random=lambda: 1.0)
    assert [backoff.wait(failures) for failures in range(1, 7)] == [1, 2, 4, 8, 10, 10]
    assert backoff.wait(10**9) == 10


def test_a_backoff_that_begins_with_no_wait_has_none() -> None:
    """However often it failed."""
    assert Backoff(0).bound(1_000_000) == 0


def test_waits_are_drawn_anew() -> None:
    """From nothing to the bound, so that clients of one server come back at different times."""
    drawn = iter([0.0, 0.5, 0.25])
    backoff = Backoff(first=4.0, factor=1.0, random=lambda: next(drawn))
    assert [backoff.wait(1) for _ in range(3)] == [0, 2, 1]
    waits = {Backoff().wait(3) for _ in range(50)}
    assert len(waits) > 40
    assert all(0 <= wait <= Backoff().bound(3) for wait in waits)


@pytest.mark.parametrize("options", [{"first": -1.0}, {"first": 2.0, "longest": 1.0}, {"factor": 0.5}])
def test_a_backoff_that_is_none_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="backoff"):
        Backoff(**options)
