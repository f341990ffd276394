"""Whatever a handler does, its exchange ends once: with its answer, an error's answer, or an abort and a log line."""

from __future__ import annotations

import logging
from contextvars import ContextVar, copy_context
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fake_exchange import FakeExchange, FakeTransport

from highper_core.errors import Fault, remote_error
from highper_core.events import END_OF_MESSAGE
from highper_core.limits import Limits
from highper_core.pool import ContextPool
from highper_http import HTTPError, NotFound, Request, Response, Router, Unauthorized, dispatch
from highper_http.dispatch import Dispatcher
from highper_http.middleware import compose
from highper_http.testing.multipart import encode_multipart
from highper_transports.errors import ConnectFailed, StreamBroken, StreamBusy


class Cancelled(BaseException):
    """What a task is cancelled with."""


@pytest.fixture(autouse=True)
def _cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "get_cancelled_exc_class", lambda: Cancelled)


class Served:
    """One handler behind a dispatcher."""

    def __init__(
        self, handler: Any, *layers: Any, debug: bool = False, make_request: Any = None, **options: Any
    ) -> None:
        router = Router()
        for layer in layers:
            router.use(layer)
        router.add("*", "/*path", handler, **options)
        self.transport = FakeTransport()
        self.pool = ContextPool(make_request or (lambda: Request(Limits())), Response)
        self.dispatcher = Dispatcher(
            router.compile(compose), self.transport, self.pool, copy_context(), debug=debug, access_log=True
        )

    def ask(self, exchange: FakeExchange | None = None) -> FakeExchange:
        exchange = exchange or FakeExchange(b"GET", b"/a")
        self.dispatcher.begin(exchange)
        return exchange

    @property
    def task(self) -> Any:
        return self.transport.tasks[-1]


class Pending:
    """Something to wait for."""

    def __await__(self) -> Any:
        yield self


def ask(handler: Any, *layers: Any, exchange: FakeExchange | None = None, **options: Any) -> FakeExchange:
    return Served(handler, *layers, **options).ask(exchange)


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


def raising(error: BaseException) -> Any:
    async def handler(req: Any) -> None:
        raise error

    return handler


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


def test_a_stream_is_sent_piece_by_piece() -> None:
    """The head leaves with the first piece; middleware may change it until then, not after."""
    late: list[type[BaseException]] = []

    async def around(req: Any, res: Any, next: Any) -> None:
        res.before_head(lambda: res.header("x-before", "1"))
        await next()
        try:
            res.header("x-late", "1")
        except Exception as error:
            late.append(type(error))

    async def handler(req: Any, res: Any) -> None:
        res.header("content-type", "text/plain")
        async with res.stream() as send:
            await send(b"a")
            await send("ä")
            await send(b"")

    exchange = ask(handler, around)
    assert (exchange.content, exchange.complete, exchange.fields[b"x-before"]) == ("aä".encode(), True, b"1")
    assert exchange.fields[b"content-type"] == b"text/plain"
    assert [error.__name__ for error in late] == ["ResponseError"]


def test_an_empty_stream_is_an_empty_answer() -> None:
    """No piece, no head before the middleware is through."""

    async def around(req: Any, res: Any, next: Any) -> None:
        await next()
        res.header("x-late", "1")

    async def handler(req: Any, res: Any) -> None:
        async with res.stream():
            pass

    exchange = ask(handler, around)
    assert (exchange.head.status_code, exchange.content, exchange.fields[b"x-late"]) == (200, b"", b"1")


def test_a_failure_inside_a_stream_aborts() -> None:
    """Once the head is out there is no other answer; before, there is."""

    async def late(req: Any, res: Any) -> None:
        async with res.stream() as send:
            await send(b"a")
            raise RuntimeError

    async def early(req: Any, res: Any) -> None:
        async with res.stream():
            raise RuntimeError

    async def swallowed(req: Any, res: Any) -> None:
        try:
            async with res.stream() as send:
                await send(b"a")
                raise RuntimeError
        except RuntimeError:
            pass

    async def afterwards(req: Any, res: Any) -> None:
        async with res.stream() as send:
            await send(b"a")
        raise RuntimeError

    exchange = ask(late)
    assert (exchange.aborted, exchange.complete, exchange.closed) == (True, False, 1)
    exchange = ask(swallowed)
    assert (exchange.aborted, exchange.complete, exchange.closed) == (True, False, 1)
    exchange = ask(early)
    assert (exchange.head.status_code, exchange.aborted, exchange.closed) == (500, False, 1)
    exchange = ask(afterwards)
    assert (exchange.content, exchange.complete, exchange.aborted, exchange.closed) == (b"a", True, False, 1)


def test_sending_outside_of_the_stream_raises() -> None:
    """A sender that outlives its block sends nothing."""
    kept: list[Any] = []

    async def handler(req: Any, res: Any) -> None:
        async with res.stream() as send:
            await send(b"a")
            kept.append(send)
        await send(b"b")

    exchange = ask(handler)
    assert (exchange.content, exchange.complete) == (b"a", True)


def test_a_file_is_sent_and_closed(tmp_path: Path) -> None:
    """Its content follows the head, for HEAD it does not, and the descriptor is given back."""
    (tmp_path / "a.txt").write_bytes(b"abc")
    files: list[Any] = []

    def inline(req: Any, res: Any) -> None:
        res.file("a.txt", root=tmp_path)
        files.append(res._file.file)

    async def handler(req: Any, res: Any) -> None:
        inline(req, res)

    for method, content in ((b"GET", b"abc"), (b"HEAD", b"")):
        for options in ({}, {"inline": True}):
            target = (
                (lambda req, res: (res.file("a.txt", root=tmp_path), files.append(res._file.file))[1])
                if options
                else handler
            )
            exchange = ask(target, exchange=FakeExchange(method), **options)
            assert (exchange.content, exchange.complete, exchange.closed) == (content, True, 1)
            assert exchange.fields[b"content-length"] == b"3"
    assert [file.closed for file in files] == [True] * 4


def test_a_file_that_was_set_is_closed_when_the_answer_becomes_another(tmp_path: Path) -> None:
    """No descriptor leaks into the error's answer."""
    (tmp_path / "a.txt").write_bytes(b"abc")
    files: list[Any] = []

    async def handler(req: Any, res: Any) -> None:
        res.file("a.txt", root=tmp_path)
        files.append(res._file.file)
        raise RuntimeError

    exchange = ask(handler)
    assert (exchange.head.status_code, files[0].closed) == (500, True)
    assert b"content-disposition" not in exchange.fields


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


@pytest.mark.parametrize("error", [Cancelled(), KeyboardInterrupt(), GeneratorExit()])
def test_errors_that_are_not_ours_leave_the_task(error: BaseException) -> None:
    """Cancellation ends the task as cancelled; the exchange has ended before."""

    async def handler(req: Any) -> None:
        await Pending()

    served = Served(handler)
    exchange = served.ask()
    assert exchange.task is served.task
    served.task.throw(error)
    assert served.task.error is error
    assert exchange.closed == 1
    assert exchange.complete or exchange.aborted


def test_disconnect_cancels_and_nothing_is_sent() -> None:
    """The handler of a client that is gone is cancelled, and its exchange ends without an answer."""

    async def handler(req: Any) -> None:
        await Pending()

    served = Served(handler)
    exchange = served.ask()
    exchange.disconnected = True
    served.dispatcher.disconnected(exchange, StreamBroken("gone"))
    assert served.task.cancelled
    served.task.throw(Cancelled())
    assert (exchange.head, exchange.closed) == (None, 1)


def test_a_route_may_opt_out_of_cancellation() -> None:
    """`cancel_on_disconnect=False` lets the handler finish; a stop still ends it."""

    async def handler(req: Any) -> None:
        await Pending()

    served = Served(handler, cancel_on_disconnect=False)
    exchange = served.ask()
    served.dispatcher.disconnected(exchange, StreamBroken("gone"))
    assert not served.task.cancelled
    served.dispatcher.cancel_sheltered()
    assert served.task.cancelled
    served.task.step()
    assert exchange.closed == 1
    assert not served.dispatcher._sheltered


def test_cancelled_at_a_stop_is_503(caplog: pytest.LogCaptureFixture) -> None:
    """What the drain deadline cancels is told to come back, and is no fault with a traceback in the log."""

    async def handler(req: Any) -> None:
        await Pending()

    served = Served(handler)
    exchange = served.ask()
    served.dispatcher.stopping = True
    served.task.throw(Cancelled())
    assert exchange.head.status_code == 503
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("WARNING", None)]
    assert "GET /a was cancelled by the stop" in caplog.text


def test_the_peer_that_vanished_while_content_was_read() -> None:
    """A broken stream is no fault of the handler: no 500, no error in the log."""
    exchange = ask(raising(StreamBroken("gone")))
    assert (exchange.head, exchange.aborted, exchange.closed) == (None, True, 1)


@pytest.mark.parametrize("error", [StreamBusy("another task is receiving"), ConnectFailed("nobody listens there")])
def test_a_mistake_with_streams_is_answered_and_logged(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """Only the end of a stream leaves nobody to answer; another error of a transport is an error like any."""
    exchange = ask(raising(error))
    assert (exchange.head.status_code, exchange.aborted, exchange.closed) == (500, False, 1)
    assert "GET /a failed" in caplog.text


def test_a_file_of_an_inline_handler_can_be_cut_off(tmp_path: Path) -> None:
    """What waits for a peer to take a file is a task, and ends with its peer or with a stop."""
    (tmp_path / "a.txt").write_bytes(b"abc")

    class Slow(FakeExchange):
        async def send_file(self, *args: Any) -> None:
            await Pending()

    served = Served(lambda req, res: res.file("a.txt", root=tmp_path), inline=True)
    exchange = served.ask(Slow())
    assert exchange.task is served.task
    served.dispatcher.disconnected(exchange, StreamBroken("gone"))
    assert served.task.cancelled
    served.task.throw(Cancelled())
    assert (exchange.aborted, exchange.closed) == (True, 1)


def test_an_upload_that_cannot_be_closed_costs_no_connection(caplog: pytest.LogCaptureFixture) -> None:
    """Its exchange is closed like any, or its connection would wait for that for good."""

    class Full(BytesIO):
        tried = False

        def close(self) -> None:
            if not self.tried:  # and not again when it is collected
                self.tried = True
                raise OSError(28, "No space left on device")

    async def handler(req: Any) -> str:
        upload = (await req.form()).file("a")
        upload._file = Full()
        return "a"

    media_type, content = encode_multipart({}, {"a": ("a.txt", b"abc")})
    exchange = FakeExchange(b"POST", b"/a", [(b"content-type", media_type.encode())], [content])
    ask(handler, exchange=exchange)
    assert (exchange.content, exchange.complete, exchange.closed) == (b"a", True, 1)
    assert "No space left" in caplog.text


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
