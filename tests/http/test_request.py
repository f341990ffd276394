"""The request: decoding what is asked for, reading content once, limits."""

from __future__ import annotations

import encodings
import tracemalloc
from types import SimpleNamespace
from typing import Any

import pytest
from fake_exchange import FakeExchange, unset

from highper_core.events import END_OF_MESSAGE, Data
from highper_core.limits import Limits
from highper_http import BadRequest, ContentTooLarge, Request, UnsupportedMediaType


def request(
    target: bytes = b"/",
    headers: list[tuple[bytes, bytes]] | None = None,
    content: list[bytes] | None = None,
    *,
    limits: Limits | None = None,
    max_body: int | None = None,
) -> Request:
    made = Request(limits or Limits())
    route = SimpleNamespace(max_body=max_body, names=("id",), path="/:id")
    exchange = FakeExchange(b"POST", target, headers, content)
    made._begin(SimpleNamespace(locals={}), exchange, exchange.request, route, (7,))
    return made


def run(coroutine: Any) -> Any:
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


@pytest.mark.parametrize(
    ("target", "path", "raw", "query"),
    [
        (b"/a/b?c=d", "/a/b", b"/a/b", b"c=d"),
        (b"/a%2Fb%20%C3%A9?", "/a/b é", b"/a%2Fb%20%C3%A9", b""),
        (b"/%ff", "/\ufffd", b"/%ff", b""),
        (b"http://h:1/a?b?c", "/a", b"/a", b"b?c"),
        (b"http://h?b/c", "/", b"/", b"b/c"),
        (b"http://h", "/", b"/", b""),
        (b"*", "*", b"*", b""),
        (b"/a?u=http://x/y", "/a", b"/a", b"u=http://x/y"),
    ],
)
def test_target_forms(target: bytes, path: str, raw: bytes, query: bytes) -> None:
    """Path and query are found in each form of request-target (RFC 9112 section 3.2)."""
    made = request(target)
    assert (made.path, made.raw_path, made.raw_query) == (path, raw, query)


def test_head() -> None:
    """Method, version, fields, parameters and addresses are as they came."""
    made = request(b"/?a=1&b=x+y&a=2&c", [(b"x-a", b"1"), (b"cookie", b"s=1; t=2"), (b"x-a", b"2")])
    assert (made.method, made.http_version, made.scheme) == ("POST", "1.1", "http")
    assert (made.client, made.server) == (("192.0.2.1", 4711), ("192.0.2.2", 80))
    assert (made.query("a"), made.query("b"), made.query("c"), made.query("d"), made.query("d", "e")) == (
        "1",
        "x y",
        "",
        None,
        "e",
    )
    assert made.query_all("a") == ["1", "2"]
    assert (made.header("X-A"), made.header("y"), made.header("y", "z")) == ("1, 2", None, "z")
    assert (made.cookie("t"), made.cookies) == ("2", {"s": "1", "t": "2"})
    assert (made.param("id"), made.params) == (7, {"id": 7})
    with pytest.raises(KeyError):
        made.param("other")


def test_body_is_read_once_and_kept() -> None:
    """`body`, `text`, `json` may all be asked, in any order."""
    made = request(content=[b'{"a"', b":1}"])
    assert run(made.json()) == {"a": 1}
    assert run(made.body()) == b'{"a":1}'
    assert run(made.text()) == '{"a":1}'
    with pytest.raises(RuntimeError, match="already"):
        made.stream()


async def collect(made: Request) -> list[bytes]:
    return [piece async for piece in made.stream()]


def test_stream_hands_out_the_pieces() -> None:
    """A stream is the content as it came; it is not kept."""
    made = request(content=[b"a", b"bc"])
    assert run(collect(made)) == [b"a", b"bc"]
    with pytest.raises(RuntimeError, match="already"):
        run(made.body())


@pytest.mark.parametrize("pieces", [[b"12345"], [b"123", b"45"]])
def test_limits(pieces: list[bytes]) -> None:
    """More than the route takes is 413, the server's limit where the route has none; a stream only has its route's."""
    with pytest.raises(ContentTooLarge):
        run(request(content=pieces, max_body=4).body())
    with pytest.raises(ContentTooLarge):
        run(request(content=pieces, limits=Limits(buffered_content=4)).body())
    with pytest.raises(ContentTooLarge):
        run(collect(request(content=pieces, max_body=4)))
    assert run(request(content=pieces, limits=Limits(buffered_content=4), max_body=5).body()) == b"12345"
    assert b"".join(run(collect(request(content=pieces, limits=Limits(buffered_content=4))))) == b"12345"


def test_content_of_unknown_length_is_bounded_as_it_comes() -> None:
    """Chunked content has no announced length to refuse by."""
    made = request(content=[b"123", b"45"], max_body=4)
    made._head = type(made._head)(method=b"POST", target=b"/", content_length=-1)
    with pytest.raises(ContentTooLarge):
        run(made.body())


@pytest.mark.parametrize(
    ("content", "read", "error"),
    [
        (b"{", "json", BadRequest),
        (b"", "json", BadRequest),
        (b"\xff", "json", BadRequest),
        (b"\xc1", "msgpack", BadRequest),
        (b"\xff", "text", BadRequest),
        (b"\x91", "msgpack", BadRequest),
        (b"x", "form", UnsupportedMediaType),
    ],
)
def test_content_of_another_form(content: bytes, read: str, error: type[Exception]) -> None:
    """What is not what it should be is the client's mistake."""
    with pytest.raises(error):
        run(getattr(request(content=[content]), read)())


@pytest.mark.parametrize(
    ("charset", "content", "text"),
    [("iso-8859-1", b"\xe4", "ä"), ("UTF-8", "ä".encode(), "ä"), ('"utf-16"', "ä".encode("utf-16"), "ä")],
)
def test_charsets(charset: str, content: bytes, text: str) -> None:
    """Text is read in the charset it names."""
    fields = [(b"content-type", b"text/plain; charset=" + charset.encode())]
    assert run(request(headers=fields, content=[content]).text()) == text


def test_charsets_that_clients_make_up_are_not_remembered() -> None:
    """Python's own tables of codecs keep every name they were asked for, so a client must not choose them."""
    request_text(b"koi8-u")
    known = len(encodings._cache)  # type: ignore[attr-defined]
    for number in range(50):
        with pytest.raises(UnsupportedMediaType):
            request_text(b"no-%d" % number)
        assert request_text(b"utf" + b"-" * number + b"_8") == "x"
    assert len(encodings._cache) <= known + 1  # type: ignore[attr-defined]


def request_text(charset: bytes) -> Any:
    return run(request(headers=[(b"content-type", b"text/plain; charset=" + charset)], content=[b"x"]).text())


def test_content_in_crumbs_is_not_kept_in_crumbs() -> None:
    """A few bytes in an object of their own cost many times as much: few such objects are held at a time."""
    made = request(max_body=200_000)
    exchange = made._exchange
    made._head = type(made._head)(method=b"POST", target=b"/", content_length=-1)
    left = 100_000

    def receive_nowait() -> Any:
        nonlocal left
        left -= 1
        return Data(left.to_bytes(2, "big", signed=False) if left < 65536 else b"xx") if left >= 0 else END_OF_MESSAGE

    exchange.receive_nowait = receive_nowait
    tracemalloc.start()
    try:
        content = run(made.body())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(content) == 200_000
    assert peak < 1_000_000


@pytest.mark.parametrize("charset", [b"x", b"base64", b"idna", b"rot13", b"unicode_escape", b"\0"])
def test_unknown_charsets(charset: bytes) -> None:
    """What is no charset of text, or a costly one, is refused."""
    fields = [(b"content-type", b"text/plain; charset=" + charset)]
    with pytest.raises((UnsupportedMediaType, BadRequest)):
        run(request(headers=fields, content=[b"\xff"]).text())


def test_form() -> None:
    """A form is read once; a body that was read before serves too."""
    fields = [(b"content-type", b"application/x-www-form-urlencoded")]
    made = request(headers=fields, content=[b"a=1&b=", b"%20"])
    form = run(made.form())
    assert (form["a"], form["b"]) == ("1", " ")
    assert run(made.form()) is form
    made = request(headers=fields, content=[b"a=1"])
    run(made.body())
    assert run(made.form())["a"] == "1"
    with pytest.raises(ContentTooLarge):
        run(request(headers=fields, content=[b"a=12345"], max_body=4).form())


def test_a_request_that_is_over() -> None:
    """A kept request tells its head and refuses the rest."""
    made = request(b"/a")
    made._detach()
    assert made.path == "/a"
    for ask in (lambda: made.client, lambda: run(made.body()), made.stream):
        with pytest.raises(RuntimeError, match="over"):
            ask()


def test_reset_clears_every_slot() -> None:
    """A pooled request is as newly made, whatever it was (by reflection: a new slot cannot be forgotten)."""
    limits = Limits()
    assert unset(Request(limits), Request(limits), set(Request.__slots__) - {"_limits", "_forwarding"}) == []
