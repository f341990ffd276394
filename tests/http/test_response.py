"""The response: finishing once, changing it until its head leaves, values that handlers return."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fake_exchange import FakeExchange, unset

from highper_http import NotFound, Response, ResponseError


def sent(response: Response) -> FakeExchange:
    exchange = FakeExchange()
    exchange.send_message(response._build_head(), response._content or b"")
    return exchange


@pytest.mark.parametrize(
    ("finish", "content_type", "content"),
    [
        (lambda r: r.text("Grüße"), b"text/plain; charset=utf-8", "Grüße".encode()),
        (lambda r: r.html("<p>"), b"text/html; charset=utf-8", b"<p>"),
        (lambda r: r.json({"a": [1, None]}), b"application/json", b'{"a":[1,null]}'),
        (lambda r: r.msgpack([1]), b"application/msgpack", b"\x91\x01"),
        (lambda r: r.bytes(b"\0"), b"application/octet-stream", b"\0"),
        (lambda r: r.bytes(memoryview(b"ab")), b"application/octet-stream", b"ab"),
        (lambda r: r.header("Content-Type", "text/csv").text("a,b"), b"text/csv", b"a,b"),
        (lambda r: r.text("a,b").header("content-type", "text/csv"), b"text/csv", b"a,b"),
    ],
)
def test_finishers_set_content_and_type(finish: Any, content_type: bytes, content: bytes) -> None:
    """Each finisher has its media type, which a field set before or after replaces."""
    exchange = sent(finish(Response()))
    assert exchange.head.status_code == 200
    assert exchange.fields[b"content-type"] == content_type
    assert exchange.content == content


def test_the_date_is_an_imf_fixdate() -> None:
    """Every answer says when it was made (RFC 9110 section 6.6.1)."""
    assert re.fullmatch(rb"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", sent(Response().text("")).fields[b"date"])


def test_unfinished_is_204_unless_a_status_was_set() -> None:
    """What nobody finished answers the status so far with an empty body."""
    assert sent(Response()).head.status_code == 204
    assert sent(Response(202)).head.status_code == 202
    assert sent(Response().text("")).head.status_code == 200


def test_finishing_twice_raises() -> None:
    """An answer is said once."""
    response = Response().text("a")
    with pytest.raises(ResponseError, match="finished"):
        response.json({})


def test_an_answer_json_cannot_say_leaves_the_response_open() -> None:
    """A value without a form in JSON raises, and another answer is still possible."""
    response = Response()
    with pytest.raises(TypeError):
        response.json(object())
    assert not response.is_finished


def test_header_replaces_or_appends() -> None:
    """`header` sets a field; `append` adds a line; `cookie` always adds."""
    response = Response().header("X-A", "1").header("x-a", 2).header("x-a", b"3", append=True)
    response.cookie("a", "1").cookie("b", "2")
    head = response.text("")._build_head()
    assert head.headers.all(b"x-a") == [b"2", b"3"]
    assert len(head.headers.all(b"set-cookie")) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [("a", "1\r\nb: 2"), ("a", "\0"), ("a b", "1"), ("", "1"), ("a:", "1"), ("a\n", "1"), ("ä", "1"), ("a", "\x7f")],
)
def test_a_field_that_would_split_is_refused_where_it_is_set(name: str, value: str) -> None:
    """Nothing that ends a field line gets into one."""
    with pytest.raises(ValueError, match="field"):
        Response().header(name, value)


def test_before_head_runs_last_registered_first_and_may_change_all() -> None:
    """Callbacks see the finished answer and may add what depends on it, callbacks too."""
    seen: list[str] = []
    response = Response()
    response.before_head(lambda: (seen.append("outer"), response.header("x-status", response.status_code)))
    response.before_head(lambda: (seen.append("inner"), response.status(201)))
    head = response.text("x")._build_head()
    assert seen == ["inner", "outer"]
    assert head.status_code == 201
    assert head.headers.first(b"x-status") == b"201"


def test_once_the_head_left_nothing_can_change() -> None:
    """After the head every setter raises."""
    response = Response()
    response._exchange = FakeExchange()
    response.stream()
    response._send_head()
    for change in (lambda: response.header("a", "b"), lambda: response.status(500), lambda: response.cookie("a", "b")):
        with pytest.raises(ResponseError, match="left"):
            change()


@pytest.mark.parametrize("status", [99, 100, 199, 1000])
def test_a_final_status_has_its_range(status: int) -> None:
    """1xx is no final response (RFC 9110 section 15)."""
    with pytest.raises(ResponseError):
        Response().status(status)


def test_redirect() -> None:
    """A redirection has a location, percent-encoded where it must be, and nothing can break out of it."""
    exchange = sent(Response().redirect("/grüße?a=b c\r\nx: y", 303))
    assert exchange.head.status_code == 303
    assert exchange.fields[b"location"] == b"/gr%C3%BC%C3%9Fe?a=b%20c%0D%0Ax:%20y"
    with pytest.raises(ResponseError):
        Response().redirect("/", 200)


@pytest.mark.parametrize(
    ("value", "status", "content"),
    [("a", 200, b"a"), (b"a", 200, b"a"), ({"a": 1}, 200, b'{"a":1}'), ([], 200, b"[]"), (Response(201), 201, b"")],
)
def test_returned_values(value: Any, status: int, content: bytes) -> None:
    """str, bytes, dict, list and Response are answers."""
    response = Response()
    response.take(value)
    exchange = sent(response)
    assert (exchange.head.status_code, exchange.content) == (status, content)


@pytest.mark.parametrize("value", [7, object(), (1, 2), {1, 2}, 1.5, True])
def test_other_values_are_no_answers(value: Any) -> None:
    """Anything else is a mistake of the handler."""
    with pytest.raises(TypeError, match="a handler answers with"):
        Response().take(value)


def test_a_returned_response_wins_over_fields_set_before() -> None:
    """Fields of middleware stay, unless the returned response sets them."""
    response = Response().header("a", "middleware").header("b", "middleware")
    response.take(Response(201).header("a", "handler").text("x"))
    head = response._build_head()
    assert head.status_code == 201
    assert (head.headers.first(b"a"), head.headers.first(b"b")) == (b"handler", b"middleware")
    with pytest.raises(ResponseError):
        response.take(Response().text("again"))


def test_file(tmp_path: Path) -> None:
    """A file answers with its size and type."""
    (tmp_path / "a.html").write_bytes(b"<p>")
    response = Response().file(tmp_path / "a.html", download="ä b.html")
    head = response._build_head()
    assert head.headers.first(b"content-length") == b"3"
    assert head.headers.first(b"content-type") == b"text/html; charset=utf-8"
    assert head.headers.first(b"content-disposition") == b"attachment; filename*=UTF-8''%C3%A4%20b.html"
    file = response._file
    response._detach()
    assert file.file.closed


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "link", "missing", "a\0b", ".", "folder", "fifo", ""])
def test_a_file_never_leaves_its_root(tmp_path: Path, path: str) -> None:
    """Neither dots, nor absolute paths, nor links lead out; what is no regular file is not found."""
    import os

    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (tmp_path / "secret").write_text("x")
    (root / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(root / "fifo")
    with pytest.raises(NotFound):
        Response().file(path, root=root)


def test_a_file_inside_its_root(tmp_path: Path) -> None:
    """A link that stays inside is followed."""
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "a.txt")
    response = Response().file("link", root=tmp_path)
    assert response._file.size == 1
    response._detach()


def test_reset_clears_every_slot() -> None:
    """A pooled response is as newly made, whatever it was (by reflection: a new slot cannot be forgotten)."""
    assert unset(Response(), Response(), Response.__slots__) == []


def test_what_cannot_be_answered_says_so() -> None:
    """The text names what can be, and JSON's error has no other beneath it."""
    with pytest.raises(TypeError, match="str, bytes, dict, list or a Response, not tuple"):
        Response().take((201, {}))
    with pytest.raises(TypeError, match="not JSON serializable: object") as caught:
        Response().json(object())
    assert caught.value.__cause__ is None
    assert Response().json({1, 2}, default=sorted).status_code == 200
