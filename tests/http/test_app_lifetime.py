"""Applications start, stop and undo what they began, and their handlers end when their clients leave."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from support.applications import Serve, engine, serve

from highper_http import App, Request, Server, StartupFailed
from highper_http.testing import TestClient, run

__all__ = ["engine", "serve"]


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
