"""Applications on real sockets: every provider, every kind of binding, in a running loop and blocking."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trustme
from http_command import free_port, running
from support.providers import REAL_NAMES

from highper_core import available as engines_available
from highper_http import App, Request, Response, Server
from highper_transports import registry
from highper_transports.errors import StreamBroken

ROOT = Path(__file__).parents[2]

EXAMPLE = """
import sys, time
from highper_http import App, Router

app = App()

@app.use
async def timing(req, res, next):
    started = time.perf_counter()
    res.before_head(lambda: res.header("server-timing", f"app;dur={(time.perf_counter() - started) * 1e3:.1f}"))
    await next()

@app.get("/users/:id")
async def show_user(req, res):
    res.json({"user_id": req.param("id")})

@app.post("/users")
async def create_user(req, res):
    res.status(201).json({"success": True, "data": await req.json()})

@app.get("/plain")
async def plain(req):
    return "Hello, World!"

@app.get("/fast", inline=True)
def fast(req):
    return "Hello, World!"

api = Router(); app.mount("/api", api)

@api.get("/slow")
async def slow(req):
    import anyio
    await anyio.sleep(1)
    return "slow"

if __name__ == "__main__":
    app.listen(host="127.0.0.1", port=int(sys.argv[1]), transport="auto")
"""


def ask(port: int, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def test_the_design_example_listens(tmp_path: Path) -> None:
    """DESIGN.md's example runs with transport="auto", and a SIGTERM lets it finish what runs."""
    script = tmp_path / "example.py"
    script.write_text(EXAMPLE)
    port = free_port()
    with running([sys.executable, str(script), str(port)], port) as process:
        assert ask(port, "GET", "/users/7") == (200, b'{"user_id":"7"}')
        assert ask(port, "POST", "/users", '{"a":1}') == (201, b'{"success":true,"data":{"a":1}}')
        assert ask(port, "GET", "/plain") == (200, b"Hello, World!")
        assert ask(port, "GET", "/fast") == (200, b"Hello, World!")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/api/slow")
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert connection.getresponse().read() == b"slow"
        assert process.wait(10) == 0
        assert process.stderr is not None
        told = process.stderr.read()
    assert f"listening at http://127.0.0.1:{port} (" in told
    assert '"GET /users/7" 200 15 ' in told
    assert "stopping: running requests have 30 seconds; a second signal ends them now" in told


def build() -> App:
    app = App()

    @app.get("/")
    async def index(req: Request) -> dict[str, object]:
        return {"client": req.client, "server": req.server, "scheme": req.scheme}

    @app.post("/echo")
    async def echo(req: Request, res: Response) -> None:
        async with res.stream() as send:
            async for piece in req.stream():
                await send(piece)

    @app.get("/file")
    async def file(req: Request, res: Response) -> None:
        res.file(__file__)

    return app


@pytest.fixture(params=REAL_NAMES)
def transport(request: pytest.FixtureRequest) -> str:
    reason = registry.why_not(request.param)
    if reason is not None:
        pytest.skip(reason)
    return str(request.param)


@pytest.fixture(params=["portable", "fast"])
def engine(request: pytest.FixtureRequest) -> str:
    reason = engines_available()[request.param]
    if reason is not None:
        pytest.skip(reason)
    return str(request.param)


def run(transport: str, main: Any) -> Any:
    return registry.transport(transport).run(lambda _: main())


def test_a_reset_inside_a_large_upload(transport: str, engine: str) -> None:
    """It reaches a handler that receives content straight into its object."""
    seen: list[BaseException] = []

    async def main() -> None:
        app = App()

        @app.post("/", cancel_on_disconnect=False)
        async def upload(req: Request) -> None:
            try:
                await req.body()
            except Exception as error:
                seen.append(error)

        async with Server(app, port=0, transport=transport, engine=engine, access_log=False) as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n")
            for _ in range(2):
                writer.write(b"x" * 1000)
                await asyncio.sleep(0.1)
            wire = writer.get_extra_info("socket")
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            async with asyncio.timeout(5):
                while not seen:
                    await asyncio.sleep(0.01)

    run(transport, main)
    assert [type(error) for error in seen] == [StreamBroken]


def test_many_bindings_in_one_loop(transport: str, engine: str, tmp_path: Path) -> None:
    """TCP, Unix and TLS side by side, two servers in one loop; port 0 reports its address."""

    async def main() -> None:
        authority = trustme.CA()
        ours = authority.issue_cert("localhost")
        from ssl import PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER, SSLContext

        context, trusting = SSLContext(PROTOCOL_TLS_SERVER), SSLContext(PROTOCOL_TLS_CLIENT)
        ours.configure_cert(context)
        authority.configure_trust(trusting)
        place = str(tmp_path / "socket")
        plain = Server(build(), bind=["127.0.0.1:0", f"unix:{place}"], transport=transport, engine=engine)
        secure = Server(build(), port=0, transport=transport, engine=engine, ssl=context)
        async with plain, secure:
            assert plain.port != secure.port
            assert plain.url == f"http://127.0.0.1:{plain.port}"
            assert secure.url.startswith("https://")
            for connect, expected in (
                (asyncio.open_connection("127.0.0.1", plain.port), b'"scheme":"http"'),
                (asyncio.open_unix_connection(place), b'"scheme":"http"'),
                (
                    asyncio.open_connection("127.0.0.1", secure.port, ssl=trusting, server_hostname="localhost"),
                    b'"scheme":"https"',
                ),
            ):
                reader, writer = await connect
                for _ in range(3):
                    writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
                    assert expected in await reader.readuntil(b"}")
                size = 300_000
                writer.write(
                    b"POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % size
                )
                writer.write(b"x" * size)
                answer = await reader.read()
                assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
                assert answer.count(b"x") >= size
                writer.close()
        assert not os.path.exists(place)

    run(transport, main)


def test_files_by_the_systems_own_copying(transport: str, engine: str) -> None:
    """A file arrives whole, several times on one connection."""

    async def main() -> None:
        async with Server(build(), port=0, transport=transport, engine=engine) as server:

            def client() -> None:
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
                for _ in range(3):
                    connection.request("GET", "/file")
                    assert connection.getresponse().read() == Path(__file__).read_bytes()
                connection.close()

            await asyncio.to_thread(client)

    run(transport, main)


def test_serve_in_a_running_loop_ends_with_its_task() -> None:
    """`await app.serve()` installs nothing; cancelling it stops it, and `stop` ends it."""

    async def main() -> None:
        server = Server(build(), port=0)
        task = asyncio.create_task(server.serve())
        while not server.addresses:
            await asyncio.sleep(0.01)
        assert (await asyncio.to_thread(ask, server.port, "GET", "/"))[0] == 200
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        server.stop()
        await asyncio.wait_for(task, 5)
        port = free_port()
        task = asyncio.create_task(build().serve(port=port))
        for _ in range(100):
            try:
                assert (await asyncio.to_thread(ask, port, "GET", "/"))[0] == 200
                break
            except OSError:
                await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_a_port_in_use_is_told(transport: str) -> None:
    """What cannot be listened at raises, and the application is shut down again."""
    from highper_transports.errors import BindingInvalid

    app = build()
    seen: list[str] = []
    app.on_shutdown(lambda: seen.append("shutdown"))

    async def main() -> None:
        async with Server(build(), port=0) as first:
            with pytest.raises(BindingInvalid, match="cannot listen"):
                async with Server(app, port=first.port):
                    pass

    run(transport, main)
    assert seen == ["shutdown"]
