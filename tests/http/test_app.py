"""Applications served whole: over the memory transport, on virtual time, by each engine."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from highper_core.errors import HighperError
from highper_core.limits import Limits
from highper_http import App, ConfigError, HTTPError, NotFound, Request, Response, Router, Server, StartupFailed
from highper_http.testing import BlockingTestClient, TestClient, run

Serve = Callable[[Any, Callable[[TestClient], Coroutine[Any, Any, None]]], None]


@pytest.fixture(params=["portable", "fast"])
def engine(request: pytest.FixtureRequest) -> str:
    from highper_core import available

    reason = available()[request.param]
    if reason is not None:
        pytest.skip(reason)
    return str(request.param)


@pytest.fixture
def serve(engine: str) -> Serve:
    """Serve an app and run a coroutine function with its client."""

    def serve(app: Any, main: Callable[[TestClient], Coroutine[Any, Any, None]], **options: Any) -> None:
        async def whole() -> None:
            async with TestClient(app, engine=engine, **options) as client:
                await main(client)

        run(whole)

    return serve


def test_the_public_face(serve: Serve) -> None:
    """DESIGN.md's example, line by line."""
    app = App()

    @app.use
    async def timing(req: Request, res: Response, next: Any) -> None:
        started = time.perf_counter()
        res.before_head(lambda: res.header("server-timing", f"app;dur={(time.perf_counter() - started) * 1e3:.1f}"))
        await next()

    @app.get("/users/:id")
    async def show_user(req: Request, res: Response) -> None:
        res.json({"user_id": req.param("id")})

    @app.post("/users")
    async def create_user(req: Request, res: Response) -> None:
        res.status(201).json({"success": True, "data": await req.json()})

    @app.get("/plain")
    async def plain(req: Request) -> str:
        return "Hello, World!"

    @app.get("/fast", inline=True)
    def fast(req: Request) -> str:
        return "Hello, World!"

    api = Router()
    api.get("/version")(plain)
    app.mount("/api", api)

    async def main(client: TestClient) -> None:
        answer = await client.get("/users/7")
        assert (answer.status, answer.json()) == (200, {"user_id": "7"})
        assert answer.header("server-timing").startswith("app;dur=")
        answer = await client.post("/users", json={"name": "Ada"})
        assert (answer.status, answer.json()) == (201, {"success": True, "data": {"name": "Ada"}})
        for path in ("/plain", "/fast", "/api/version"):
            answer = await client.get(path)
            assert (answer.status, answer.text) == (200, "Hello, World!")
            assert answer.header("content-type") == "text/plain; charset=utf-8"
            assert answer.header("content-length") == "13"
        answer = await client.head("/plain")
        assert (answer.status, answer.content, answer.header("content-length")) == (200, b"", "13")
        answer = await client.delete("/plain")
        assert (answer.status, answer.header("allow")) == (405, "GET, HEAD, OPTIONS")
        answer = await client.options("/plain")
        assert (answer.status, answer.header("allow")) == (204, "GET, HEAD, OPTIONS")
        answer = await client.get("/missing")
        assert (answer.status, answer.json()) == (404, {"title": "Not Found", "status": 404})
        assert answer.header("server-timing")

    serve(app, main)


def test_one_connection_serves_many_requests(serve: Serve) -> None:
    """Persistence: the client's requests share a connection, and no two share a record's id."""
    app = App()
    seen: list[tuple[int, Any]] = []

    @app.post("/")
    async def index(req: Request) -> bytes:
        seen.append((req.context.id, req.client))
        return await req.body()

    async def main(client: TestClient) -> None:
        for number in range(20):
            answer = await client.post("/", content=str(number))
            assert answer.text == str(number)

    serve(app, main)
    assert len({number for number, _ in seen}) == 20
    assert len({peer for _, peer in seen}) == 1


def test_lifespan(serve: Serve) -> None:
    """Hooks and context manager run in order; their contextvars are seen by every handler, whose own stay apart."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    seen: list[str] = []

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        seen.append("enter")
        async with anyio.create_task_group():
            yield
        seen.append("leave")

    app = App(lifespan=lifespan)

    @app.on_startup
    async def first() -> None:
        variable.set("from start-up")
        seen.append("first")

    @app.on_startup
    def second() -> None:
        seen.append("second")

    app.on_shutdown(lambda: seen.append("shutdown 1"))
    app.on_shutdown(lambda: seen.append("shutdown 2"))

    @app.get("/task")
    async def task(req: Request) -> str:
        before = variable.get()
        variable.set("dirty")
        return before

    @app.get("/thread")
    def thread(req: Request) -> str:
        return variable.get()

    @app.get("/inline", inline=True)
    def inline(req: Request) -> str:
        return variable.get()

    async def main(client: TestClient) -> None:
        for path in ("/task", "/thread", "/inline", "/task"):
            assert (await client.get(path)).text == "from start-up"

    serve(app, main)
    assert seen == ["first", "second", "enter", "leave", "shutdown 2", "shutdown 1"]


def test_a_failing_start_up_is_told_and_undone(serve: Serve) -> None:
    """What had been started is shut down, and the error names the cause."""
    app = App()
    seen: list[str] = []
    app.on_shutdown(lambda: seen.append("shutdown"))

    @app.on_startup
    async def broken() -> None:
        raise ValueError("no database")

    async def main(client: TestClient) -> None:
        raise AssertionError("it must not start")

    with pytest.raises(StartupFailed, match="ValueError: no database"):
        serve(app, main)
    assert seen == ["shutdown"]


def test_streaming_out(serve: Serve) -> None:
    """Pieces arrive as they are sent, on virtual time; a length that was set is kept."""
    app = App()

    @app.get("/chunked")
    async def chunked(req: Request, res: Response) -> None:
        async with res.stream() as send:
            for number in range(5):
                await send(f"{number}")
                await anyio.sleep(3600)

    @app.get("/known")
    async def known(req: Request, res: Response) -> None:
        res.header("content-length", 4)
        async with res.stream() as send:
            await send(b"ab")
            await send(b"cd")

    @app.get("/short")
    async def short(req: Request, res: Response) -> None:
        res.header("content-length", 4)
        async with res.stream() as send:
            await send(b"ab")

    @app.get("/long")
    async def long(req: Request, res: Response) -> None:
        res.header("content-length", 4)
        async with res.stream() as send:
            await send(b"abcdef")

    async def main(client: TestClient) -> None:
        async with client.stream("GET", "/chunked") as answer:
            assert answer.headers["transfer-encoding"] == "chunked"
            pieces = [(piece, anyio.current_time()) async for piece in answer]
        assert [piece for piece, _ in pieces] == [b"0", b"1", b"2", b"3", b"4"]
        assert 3599 < pieces[1][1] - pieces[0][1] < 3601
        answer = await client.get("/known")
        assert (answer.content, answer.header("content-length")) == (b"abcd", "4")
        for path in ("/short", "/long"):
            with pytest.raises(HighperError):
                await client.get(path)
        assert (await client.get("/known")).content == b"abcd"

    serve(app, main)


def test_back_pressure_out(serve: Serve) -> None:
    """A handler that streams to a client that does not read is held up, and its memory bounded."""
    app = App()
    sent: list[int] = []

    @app.get("/")
    async def endless(req: Request, res: Response) -> None:
        async with res.stream() as send:
            for _ in range(10_000):
                await send(bytes(10_000))
                sent.append(10_000)

    async def main(client: TestClient) -> None:
        async with client.stream("GET", "/") as answer:
            await anyio.sleep(20)
            held = sum(sent)
            assert held < 2_000_000
            async for _ in answer:
                if sum(sent) > held + 1_000_000:
                    break

    serve(app, main)
    assert sum(sent) < 10_000_000


def test_streaming_in(serve: Serve) -> None:
    """Content is handled as it arrives; one that nobody reads is drained or refused, and the next request served."""
    app = App()

    @app.post("/sum")
    async def total(req: Request) -> dict[str, int]:
        size = pieces = 0
        async for piece in req.stream():
            size += len(piece)
            pieces += 1
        return {"size": size, "several": pieces > 1}

    @app.post("/unread")
    async def unread(req: Request) -> str:
        return "not interested"

    @app.post("/small", max_body=10)
    async def small(req: Request) -> bytes:
        return await req.body()

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield bytes(100_000)
            await anyio.sleep(1)

    async def main(client: TestClient) -> None:
        answer = await client.post("/sum", content=pieces())
        assert answer.json() == {"size": 1_000_000, "several": True}
        answer = await client.post("/sum", content=bytes(3_000_000))
        assert answer.json() == {"size": 3_000_000, "several": True}
        for content in (b"a" * 1000, b"a" * 3_000_000):
            assert (await client.post("/unread", content=content)).text == "not interested"
        assert (await client.post("/small", content="0123456789")).content == b"0123456789"
        assert (await client.post("/small", content="0123456789a")).status == 413
        assert (await client.post("/small", content="ok")).text == "ok"

    serve(app, main)


def test_threads(serve: Serve) -> None:
    """Plain handlers block a worker thread, not the loop; one whose client left finishes and is discarded."""
    app = App()
    entered, gone, done = threading.Event(), threading.Event(), threading.Event()

    @app.get("/")
    def plain(req: Request) -> str:
        return "from a thread"

    @app.get("/abandoned")
    def abandoned(req: Request, res: Response) -> None:
        entered.set()
        gone.wait(10)
        try:
            res.text(req.path)
        finally:
            done.set()

    async def main(client: TestClient) -> None:
        assert (await client.get("/")).text == "from a thread"
        peer = await client.transport.dial(client.server.addresses[0])
        peer.send(b"GET /abandoned HTTP/1.1\r\nhost: a\r\n\r\n")
        assert await anyio.to_thread.run_sync(entered.wait, 10)
        peer.reset()
        assert (await client.get("/")).text == "from a thread"
        gone.set()
        assert await anyio.to_thread.run_sync(done.wait, 10)
        assert (await client.get("/")).text == "from a thread"

    serve(app, main)


def test_disconnect_cancels_the_handler(serve: Serve) -> None:
    """A client that resets cancels its handler, unless the route opted out; half-close still gets its answer."""
    app = App()
    ends: list[str] = []

    async def wait(req: Request) -> str:
        try:
            await anyio.sleep(5)
        except BaseException as error:
            ends.append(f"{req.path} {type(error).__name__}")
            raise
        ends.append(f"{req.path} finished")
        return "a"

    app.get("/cancelled")(wait)
    app.get("/sheltered", cancel_on_disconnect=False)(wait)

    async def main(client: TestClient) -> None:
        for path in (b"/cancelled", b"/sheltered"):
            peer = await client.transport.dial(client.server.addresses[0])
            peer.send(b"GET " + path + b" HTTP/1.1\r\nhost: a\r\n\r\n")
            await anyio.sleep(1)
            peer.reset()
            await anyio.sleep(10)
        peer = await client.transport.dial(client.server.addresses[0])
        peer.send(b"GET /cancelled HTTP/1.1\r\nhost: a\r\n\r\n")
        peer.half_close()
        assert (await peer.receive_all()).endswith(b"\r\n\r\na")

    serve(app, main)
    assert ends == ["/cancelled CancelledError", "/sheltered finished", "/cancelled finished"]


def test_expect_continue(serve: Serve) -> None:
    """100 Continue is sent when the content is first asked for; a refusal comes without it."""
    app = App()

    @app.post("/read")
    async def read(req: Request) -> bytes:
        return await req.body()

    @app.post("/refuse")
    async def refuse(req: Request) -> None:
        raise HTTPError(403)

    head = b" HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"

    async def main(client: TestClient) -> None:
        peer = await client.transport.dial(client.server.addresses[0])
        peer.send(b"POST /read" + head)
        assert await peer.receive_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.send(b"ab")
        assert (await peer.receive_until(b"\r\n\r\nab")).startswith(b"HTTP/1.1 200 OK\r\n")
        peer.send(b"POST /refuse" + head)
        assert (await peer.receive_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 403 Forbidden\r\n")

    serve(app, main)


def test_a_broken_body_is_told_to_its_reader(serve: Serve) -> None:
    """A chunk that is none ends the wait of whoever reads, with 400 and the connection's end."""
    app = App()

    @app.post("/")
    async def read(req: Request) -> bytes:
        return await req.body()

    async def main(client: TestClient) -> None:
        peer = await client.transport.dial(client.server.addresses[0])
        peer.send(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n")
        await anyio.sleep(1)
        peer.send(b"zz\r\n")
        answer = await peer.receive_all()
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"connection: close" in answer

    serve(app, main)


def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    """A slow first answer holds up the second; no record is shared."""
    app = App()

    @app.get("/{seconds:int}")
    async def wait(req: Request) -> str:
        mine = req.param("seconds")
        await anyio.sleep(mine)
        return f"[{req.param('seconds')}={mine}]"

    async def main(client: TestClient) -> None:
        peer = await client.transport.dial(client.server.addresses[0])
        peer.send(b"".join(b"GET /%d HTTP/1.1\r\nhost: a\r\n\r\n" % number for number in (3, 0, 2, 1)))
        peer.half_close()
        answer = await peer.receive_all()
        assert [part[: part.index(b"]")] for part in answer.split(b"[")[1:]] == [b"3=3", b"0=0", b"2=2", b"1=1"]

    serve(app, main)


def test_http_1_0_is_answered_and_closed(serve: Serve) -> None:
    """A stream to an HTTP/1.0 client is close-delimited."""
    app = App()

    @app.get("/")
    async def index(req: Request, res: Response) -> None:
        async with res.stream() as send:
            await send(req.http_version)

    async def main(client: TestClient) -> None:
        peer = await client.transport.dial(client.server.addresses[0])
        peer.send(b"GET / HTTP/1.0\r\n\r\n")
        answer = await peer.receive_all()
        assert answer.endswith(b"\r\n\r\n1.0")
        assert b"chunked" not in answer

    serve(app, main)


def test_stop_lets_running_requests_answer(engine: str) -> None:
    """A stop ends resting connections, waits for answers, and cancels what is left after the drain."""
    app = App()
    ends: list[str] = []

    @app.get("/{seconds:int}")
    async def wait(req: Request) -> str:
        try:
            await anyio.sleep(req.param("seconds"))
        except BaseException as error:
            ends.append(type(error).__name__)
            raise
        return "done"

    answers: dict[int, bytes] = {}

    async def whole() -> None:
        client = TestClient(app, engine=engine, drain=30)
        async with client, anyio.create_task_group() as group:

            async def ask(seconds: int) -> None:
                peer = await client.transport.dial(client.server.addresses[0])
                peer.send(b"GET /%d HTTP/1.1\r\nhost: a\r\n\r\n" % seconds)
                answers[seconds] = await peer.receive_all()

            group.start_soon(ask, 10)
            group.start_soon(ask, 300)
            await anyio.sleep(1)
            before = anyio.current_time()
            await client.server.finish()
            assert 29 < anyio.current_time() - before < 32

    run(whole)
    assert answers[10].endswith(b"done")
    assert b"connection: close" in answers[10]
    assert answers[300].startswith(b"HTTP/1.1 503 ")
    assert ends == ["CancelledError"]


def test_stop_waits_for_sheltered_handlers(engine: str) -> None:
    """A handler that outlives its client has the drain's time too, and no more."""
    app = App()
    ends: list[str] = []

    @app.get("/{seconds:int}", cancel_on_disconnect=False)
    async def wait(req: Request) -> str:
        try:
            await anyio.sleep(req.param("seconds"))
        except BaseException as error:
            ends.append(f"{req.path} {type(error).__name__}")
            raise
        ends.append(f"{req.path} finished")
        return "done"

    async def whole() -> None:
        async with TestClient(app, engine=engine, drain=30) as client:
            for seconds in (10, 300):
                peer = await client.transport.dial(client.server.addresses[0])
                peer.send(b"GET /%d HTTP/1.1\r\nhost: a\r\n\r\n" % seconds)
                await anyio.sleep(1)
                peer.reset()
            before = anyio.current_time()
        assert 29 < anyio.current_time() - before < 32

    run(whole)
    assert ends == ["/10 finished", "/300 CancelledError"]


def test_files(serve: Serve, tmp_path: Path) -> None:
    """A file of any size arrives whole."""
    content = bytes(range(256)) * 4000
    (tmp_path / "a.bin").write_bytes(content)
    (tmp_path / "empty").write_bytes(b"")
    app = App()

    @app.get("/*path")
    async def file(req: Request, res: Response) -> None:
        res.file(req.param("path"), root=tmp_path)

    async def main(client: TestClient) -> None:
        assert (await client.get("/a.bin")).content == content
        assert (await client.get("/empty")).content == b""
        answer = await client.head("/a.bin")
        assert (answer.content, answer.header("content-length")) == (b"", str(len(content)))
        assert (await client.get("/%2e%2e/a")).status == 404
        assert (await client.get("/a.bin")).content == content

    serve(app, main)


def test_forms_and_cookies(serve: Serve) -> None:
    """Fields, files and cookies go both ways."""
    app = App()

    @app.post("/form")
    async def form(req: Request, res: Response) -> None:
        sent = await req.form()
        res.cookie("session", "1").json({name: sent.field(name) for name in sent})

    @app.get("/cookie")
    async def cookie(req: Request) -> str:
        return req.cookie("session") or "none"

    async def main(client: TestClient) -> None:
        assert (await client.get("/cookie")).text == "none"
        assert (await client.post("/form", form={"a": "1 2", "b": "ü"})).json() == {"a": "1 2", "b": "ü"}
        assert (await client.get("/cookie")).text == "1"

    serve(app, main)


def test_an_answer_the_engine_refuses_is_a_500(serve: Serve) -> None:
    """Content on a 204, a wrong length, framing of one's own: nothing of it is sent, and the connection lives on."""
    app = App()

    @app.get("/204")
    async def content(req: Request, res: Response) -> None:
        res.status(204).text("content")

    @app.get("/length")
    async def length(req: Request, res: Response) -> None:
        res.header("content-length", 3).text("four")

    @app.get("/coding")
    async def coding(req: Request, res: Response) -> None:
        res.header("transfer-encoding", "gzip").text("a")

    @app.get("/returned")
    async def returned(req: Request) -> Response:
        return constant

    @app.get("/close")
    async def close(req: Request, res: Response) -> None:
        res.header("connection", "close").text("bye")

    constant = Response(203).header("x-a", "1").text("always the same")

    async def main(client: TestClient) -> None:
        for path in ("/204", "/length", "/coding"):
            answer = await client.get(path)
            assert (answer.status, answer.json()["title"]) == (500, "Internal Server Error"), path
        for _ in range(3):
            answer = await client.get("/returned")
            assert (answer.status, answer.text, answer.headers.all("x-a")) == (203, "always the same", ["1"])
        for _ in range(2):
            answer = await client.get("/close")
            assert (answer.text, answer.headers.all("connection")) == ("bye", ["close"])

    serve(app, main)


def test_bad_json_and_bodies_of_other_kinds(serve: Serve) -> None:
    """What the client sent wrongly is answered with its 4xx, on a connection that lives on."""
    app = App()

    @app.post("/json")
    async def read(req: Request) -> object:
        return {"read": await req.json()}

    @app.post("/form")
    async def form(req: Request) -> str:
        return str(len(await req.form()))

    async def main(client: TestClient) -> None:
        for content in ("", "{", "nul", "\ud800".encode("utf-8", "surrogatepass"), b"[" * 100_000):
            assert (await client.post("/json", content=content)).status == 400
        assert (await client.post("/json", content="1e400")).status in (200, 400)
        assert (await client.post("/form", content="a=1")).status == 415
        assert (await client.post("/json", json=[1])).json() == {"read": [1]}

    serve(app, main)


def test_middleware_levels(serve: Serve) -> None:
    """App, router and route: outermost first, around misses only the app's."""
    app = App()

    def layer(name: str) -> Any:
        async def around(req: Request, res: Response, next: Any) -> None:
            req.locals.order = [*req.locals.get("order", []), name]
            await next()

        return around

    app.use(layer("app"))
    api = app.group("/api", layer("router"))

    @api.get("/", middleware=[layer("route")])
    async def index(req: Request) -> list[str]:
        return req.locals.order

    async def main(client: TestClient) -> None:
        assert (await client.get("/api/")).json() == ["app", "router", "route"]

    serve(app, main)


def test_a_server_without_a_router(engine: str) -> None:
    """`handle` gives every request to one function; twice is refused, and nothing to serve too."""

    async def whole() -> None:
        server = Server(engine=engine, transport="memory")

        @server.handle
        async def everything(req: Request) -> str:
            return f"{req.method} {req.path}"

        with pytest.raises(ConfigError):
            server.handle(everything)
        async with TestClient(server, engine=engine) as client:
            assert (await client.put("/a/b")).text == "PUT /a/b"
            assert (await client.get("/")).text == "GET /"
        with pytest.raises(ConfigError, match="nothing to serve"):
            async with TestClient(Server(), engine=engine):
                pass

    run(whole)


def test_use_and_debug(engine: str) -> None:
    """A server takes its developer mode from its app, or says its own."""

    async def whole() -> None:
        app = App(debug=True, limits=Limits(buffered_content=3))

        @app.post("/")
        async def broken(req: Request) -> None:
            await req.body()
            raise RuntimeError("told")

        server = Server(engine=engine)
        server.use(app)
        async with TestClient(server, engine=engine) as client:
            assert "RuntimeError: told" in (await client.post("/")).text
            assert (await client.post("/", content="abcd")).status == 413
        async with TestClient(Server(app, debug=False, limits=Limits()), engine=engine) as client:
            assert "told" not in (await client.post("/", content="abcd")).text

    run(whole)


@pytest.mark.parametrize("inline", [True, False])
def test_an_access_log_that_fails_costs_no_connection(inline: bool) -> None:
    """A filter of the application's own that raises is told of, and its exchange still ends."""
    app = App()

    def index(req: Request) -> str:
        return "answered"

    app.get("/", inline=inline)(index)

    def broken(record: logging.LogRecord) -> bool:
        raise ValueError("a filter is broken")

    access = logging.getLogger("highper.access")
    level = access.level
    access.setLevel(logging.INFO)
    access.addFilter(broken)
    try:
        with BlockingTestClient(app, access_log=True) as client:
            assert client.get("/").text == "answered"
            assert client.get("/").text == "answered"
    finally:
        access.removeFilter(broken)
        access.setLevel(level)


@pytest.mark.parametrize("scoped", [True, False])
def test_a_start_that_is_cancelled_is_undone(scoped: bool) -> None:
    """What start-up hooks had begun is ended when the start is given up, by anyio or by asyncio."""
    app = App()
    done: list[str] = []

    @app.on_startup
    async def connect() -> None:
        done.append("connected")
        await anyio.sleep_forever()

    @app.on_shutdown
    async def disconnect() -> None:
        await anyio.sleep(0)
        done.append("disconnected")

    async def main() -> None:
        server = Server(app, port=0)
        if scoped:
            with anyio.move_on_after(0.01):
                await server.serve()
        else:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(server.serve(), 0.01)

    asyncio.run(main())
    assert done == ["connected", "disconnected"]


def test_blocking_client() -> None:
    """Tests without `async`; time stands still between calls."""
    app = App()

    @app.get("/")
    async def index(req: Request) -> str:
        await anyio.sleep(3600)
        return "an hour later"

    with BlockingTestClient(app) as client:
        assert client.get("/").text == "an hour later"
        assert client.get("/missing").status == 404
    broken = App()

    @broken.on_startup
    def fail() -> None:
        raise NotFound

    with pytest.raises(StartupFailed), BlockingTestClient(broken):
        pass
