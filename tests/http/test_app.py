"""Applications served whole, what they are made of and what they answer: in memory, on virtual time, by each engine."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import anyio
import anyio.to_thread
import pytest
from support.applications import Serve, engine, serve

from highper_core.limits import Limits
from highper_http import App, ConfigError, NotFound, Request, Response, Router, Server, StartupFailed
from highper_http.testing import BlockingTestClient, TestClient, run

__all__ = ["engine", "serve"]


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
