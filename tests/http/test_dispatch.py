"""Whatever a handler does, its exchange ends once: with its answer, an error's answer, or an abort and a log line."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import Any

import pytest
from fake_exchange import FakeExchange
from support.dispatched import Served, ask, cancellation, raising

from highper_core.errors import Fault, remote_error
from highper_core.events import END_OF_MESSAGE
from highper_http import HTTPError, NotFound, Request, Response, Unauthorized
from highper_transports.errors import ConnectFailed, StreamBusy

__all__ = ["cancellation"]


def test_an_answer_is_sent_and_the_exchange_closed_once() -> None:
    """The common way."""

    async def handler(req: Any, res: Any) -> None:
        res.status(201).text(req.path)

    exchange = ask(handler)
    assert (exchange.head.status_code, exchange.content, exchange.complete) == (201, b"/a", True)
    assert (exchange.closed, exchange.aborted) == (1, False)


def test_values_returned_by_each_kind_of_handler() -> None:
    """Coroutine functions and inline functions may return their answer."""

    async def handler(req: Any) -> str:
        return "a"

    assert ask(handler).content == b"a"
    assert ask(lambda req: "b", inline=True).content == b"b"
    assert ask(lambda req, res: res.text("c"), inline=True).content == b"c"


def test_inline_handlers_run_in_their_own_context_and_no_task() -> None:
    """`inline` has no task, and what it leaves in contextvars is gone."""
    variable = ContextVar("variable", default="fresh")

    def handler(req: Any) -> str:
        before = variable.get()
        variable.set("dirty")
        return before

    served = Served(handler, inline=True)
    assert [served.ask().content, served.ask().content] == [b"fresh", b"fresh"]
    assert served.transport.tasks == []
    assert variable.get() == "fresh"


def test_an_unfinished_answer_is_204() -> None:
    """None unfinished answers what was set so far."""

    async def handler(req: Any, res: Any) -> None:
        res.header("x-a", "1")

    exchange = ask(handler)
    assert (exchange.head.status_code, exchange.fields[b"x-a"], exchange.content) == (204, b"1", b"")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("secret"), 500),
        (NotFound("no such thing"), 404),
        (HTTPError(503, "secret"), 503),
        (SystemExit(1), 500),
        (remote_error(Fault.CHUNK_SIZE_INVALID), 400),
        (remote_error(Fault.CONTENT_TIMEOUT), 408),
        (remote_error(Fault.CONTENT_TOO_LARGE), 413),
    ],
)
def test_what_a_handler_raises_is_an_error_answer(error: BaseException, status: int) -> None:
    """An error has its status; the text of a 5xx stays inside."""
    exchange = ask(raising(error))
    assert (exchange.head.status_code, exchange.complete, exchange.closed) == (status, True, 1)
    assert b"secret" not in exchange.content
    assert b"Traceback" not in exchange.content


def test_the_detail_of_a_4xx_and_its_fields_are_told() -> None:
    """A client's mistake is explained to it."""
    exchange = ask(raising(Unauthorized("log in", challenge='Basic realm="a"')))
    assert b"log in" in exchange.content
    assert exchange.fields[b"www-authenticate"] == b'Basic realm="a"'


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, b"application/json"),
        (b"*/*", b"application/json"),
        (b"text/html,application/xhtml+xml,*/*;q=0.8", b"text/html; charset=utf-8"),
        (b"text/plain", b"text/plain; charset=utf-8"),
        (b"image/png", b"application/json"),
    ],
)
def test_error_pages_follow_accept(accept: bytes | None, content_type: bytes) -> None:
    """JSON, HTML or text, as the client would rather have it; markup in a detail is escaped."""
    headers = [] if accept is None else [(b"accept", accept)]
    exchange = ask(raising(NotFound("<script>")), exchange=FakeExchange(headers=headers))
    assert exchange.fields[b"content-type"] == content_type
    if b"html" in content_type:
        assert b"<script>" not in exchange.content


@pytest.mark.parametrize("accept", [b"text/html", b"text/plain", b"application/json"])
def test_developer_mode_shows_the_traceback(accept: bytes) -> None:
    """In developer mode a 500 tells everything."""
    exchange = ask(raising(RuntimeError("<secret>")), debug=True, exchange=FakeExchange(headers=[(b"accept", accept)]))
    assert b"Traceback" in exchange.content
    assert b"secret" in exchange.content
    assert (b"<secret>" in exchange.content) is (accept != b"text/html")


def test_a_500_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """The log has what the client does not get, and a target that would forge a line is escaped."""
    ask(raising(RuntimeError("secret")), exchange=FakeExchange(b"GET", b'/a"b'))
    assert "GET /a\\x22b failed" in caplog.text
    assert "RuntimeError: secret" in caplog.text


def test_an_answer_that_cannot_be_made() -> None:
    """Unserialisable JSON, an unknown value, finishing twice, a stream never entered: 500."""

    async def unserialisable(req: Any, res: Any) -> None:
        res.json(object())

    async def unknown(req: Any) -> object:
        return object()

    async def twice(req: Any, res: Any) -> None:
        res.text("a").text("b")

    async def never_entered(req: Any, res: Any) -> None:
        res.stream()

    async def split(req: Any, res: Any) -> None:
        res._fields = [(b"a", b"1\nb: 2")]

    for handler in (unserialisable, unknown, twice, never_entered, split):
        exchange = ask(handler)
        assert (exchange.head.status_code, exchange.complete, exchange.closed) == (500, True, 1), handler


def test_callbacks_of_the_head_run_for_errors_too() -> None:
    """Middleware that registered one sees its field on the error's answer; one that raises costs the page only."""

    async def around(req: Any, res: Any, next: Any) -> None:
        res.before_head(lambda: res.header("x-request-id", "7"))
        await next()

    async def bad(req: Any, res: Any, next: Any) -> None:
        res.before_head(lambda: 1 / 0)
        await next()

    async def fine(req: Any) -> str:
        return "a"

    assert ask(raising(NotFound()), around).fields[b"x-request-id"] == b"7"
    for handler in (raising(NotFound()), fine):
        exchange = ask(handler, bad)
        assert exchange.head.status_code in (404, 500)
        assert (exchange.complete, exchange.closed) == (True, 1)


def test_middleware_sees_and_may_catch_what_the_handler_raises() -> None:
    """Errors pass through the onion like calls do."""

    async def around(req: Any, res: Any, next: Any) -> None:
        try:
            await next()
        except KeyError:
            res.status(400).text("caught")

    exchange = ask(raising(KeyError()), around)
    assert (exchange.head.status_code, exchange.content) == (400, b"caught")


@pytest.mark.parametrize("error", [StreamBusy("another task is receiving"), ConnectFailed("nobody listens there")])
def test_a_mistake_with_streams_is_answered_and_logged(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """Only the end of a stream leaves nobody to answer; another error of a transport is an error like any."""
    exchange = ask(raising(error))
    assert (exchange.head.status_code, exchange.aborted, exchange.closed) == (500, False, 1)
    assert "GET /a failed" in caplog.text


def test_access_log(caplog: pytest.LogCaptureFixture) -> None:
    """One line per request: peer, request-line, status, bytes, duration, route."""
    caplog.set_level(logging.INFO, "highper.access")
    ask(lambda req: "abc", inline=True, exchange=FakeExchange(b"GET", b'/a"\\'))
    assert [record.message for record in caplog.records] == ['192.0.2.1:4711 "GET /a\\x22\\x5c" 200 3 0.000ms /*path']


def test_a_request_that_cannot_be_begun_costs_one_answer() -> None:
    """`begin` never raises."""

    def broken() -> Request:
        raise RuntimeError

    exchange = Served(raising(KeyError()), make_request=broken).ask()
    assert (exchange.head.status_code, exchange.complete, exchange.closed) == (500, True, 1)


def test_a_kept_request_and_response_never_see_another_exchange() -> None:
    """Records that a handler keeps are not reused, and can do nothing any more."""
    kept: list[tuple[Request, Response]] = []

    async def handler(req: Request, res: Response) -> str:
        kept.append((req, res))
        return "a"

    served = Served(handler)
    served.ask(FakeExchange(b"GET", b"/1"))
    second = served.ask(FakeExchange(b"GET", b"/2"))
    assert [req.path for req, _ in kept] == ["/1", "/2"]
    assert kept[0][0] is not kept[1][0]
    with pytest.raises(Exception, match="left"):
        kept[0][1].header("a", "b")
    assert second.events == FakeExchange().events or second.events[-1] is END_OF_MESSAGE
