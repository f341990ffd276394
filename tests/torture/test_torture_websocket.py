"""Every call a server makes to the system fails once while it speaks WebSocket; a handler is cancelled at every step.

As `test_torture.py`: over asyncio, whose calls can be made to fail one by one, and with the client a stranger to it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from support.faults import ERRORS, FaultPlan, FaultyContext
from support.torment import descriptors, settled
from torture.test_torture import PLAIN_SITES, TLS_SITES, FaultyBinding, contexts

from highper_core.engines import WebSocketConnection
from highper_core.events import NEED_DATA, BytesFragment, CloseConnection, Ping, Pong, TextFragment
from highper_core.limits import Limits
from highper_core.state import Role
from highper_http import App, Server, WebSocket, WebSocketListener
from highper_http.websocket import ListenedSocket
from highper_transports.asyncio import AsyncioTransport
from highper_transports.tls import TLS

# where a system call fails inside asyncio itself, asyncio leaves the socket to the collector
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

OPENING = (
    b"GET /%s HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
LARGE = bytes(70_000)
PATIENT = Limits(websocket_ping_interval=None)


def application() -> App:
    app = App(limits=PATIENT)

    @app.websocket("/coroutine")
    async def coroutine(socket: WebSocket) -> None:
        await socket.accept()
        async for message in socket:
            await socket.send_bytes(message if isinstance(message, bytes) else message.encode())

    @app.websocket("/listener")
    class Listener(WebSocketListener):
        def on_message(self, socket: ListenedSocket, message: str | bytes) -> None:
            socket.try_send(message if isinstance(message, bytes) else message.encode())

    return app


async def converse(port: int, context: ssl.SSLContext | None, path: bytes) -> list[Any]:
    """Open, say, ask, close; return what came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(OPENING % path)
        head = await reader.readuntil(b"\r\n\r\n")
        heard: list[Any] = [head.split(b" ")[1]]
        if heard != [b"101"]:
            raise EOFError
        core = WebSocketConnection(Role.CLIENT, "auto", PATIENT, mask_source=os.urandom)
        for step in ("hello", Ping(b"there?"), LARGE, CloseConnection(1000, "done")):
            core.send_message(step) if isinstance(step, str | bytes) else core.send(step)
            writer.write(core.data_to_send())
            await writer.drain()
            while (event := core.next_event()) is NEED_DATA:
                data = await reader.read(65536)
                if not data:
                    raise EOFError
                core.receive_data(data)
            assert isinstance(event, BytesFragment | TextFragment | Pong | CloseConnection)
            heard.append(bytes(event.data) if isinstance(event, BytesFragment) else event)
            if isinstance(event, CloseConnection) and not isinstance(step, CloseConnection):
                raise EOFError
        heard.append(await reader.read())
        return heard
    finally:
        writer.close()
        with suppress(OSError, ssl.SSLError):
            await writer.wait_closed()


@asynccontextmanager
async def serving(plan: FaultPlan, context: FaultyContext | None) -> AsyncIterator[Server]:
    tls = None if context is None else TLS(context)
    binding = FaultyBinding(host="127.0.0.1", port=0, plan=plan, tls=tls)
    async with Server(application(), bind=[binding], transport="asyncio", access_log=False) as server:
        yield server


async def torment(site: str, secured: bool, path: bytes) -> int:
    """Fail every call of `site` in turn; return how many were failed."""
    plan = FaultPlan()
    ours, theirs = contexts(secured, plan)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # asyncio reports what it was made to suffer
    tried = 0
    async with serving(plan, ours) as server:
        whole = await converse(server.port, theirs, path)
        assert whole[:2] == [b"101", b"hello"]
        gc.collect()
        await asyncio.sleep(0.05)
        before = descriptors()
        plan.arm("", 0, OSError)
        assert await converse(server.port, theirs, path) == whole
        await settled(server, before)
        calls = plan.calls[site]
        for at in range(1, calls + 1):
            for error in ERRORS[site]:
                plan.arm(site, at, error)
                with suppress(OSError, ssl.SSLError, EOFError, TimeoutError):
                    async with asyncio.timeout(1):
                        await converse(server.port, theirs, path)
                plan.disarm()
                await settled(server, before)
                assert await converse(server.port, theirs, path) == whole
                await settled(server, before)
                tried += plan.fired
        assert server._transport is not None
        assert server._site is not None
        assert len(server._transport.timers) == 0
        assert not server._site.tasks
    gc.collect()
    return tried


@pytest.mark.parametrize("path", [b"coroutine", b"listener"], ids=["coroutine", "listener"])
@pytest.mark.parametrize("site", [site for site in PLAIN_SITES if site != "shutdown"])
def test_every_socket_call_may_fail(site: str, path: bytes) -> None:
    """After any failed call nothing is leaked, no handler runs on, and the next conversation is whole."""
    assert AsyncioTransport.run(lambda transport: torment(site, False, path)) > 0


@pytest.mark.parametrize("site", TLS_SITES)
def test_every_tls_step_may_fail(site: str) -> None:
    """The same beneath TLS."""
    assert AsyncioTransport.run(lambda transport: torment(site, True, b"coroutine")) > 0


def cancellable(points: list[str], at: int) -> App:
    """An application whose handler is cancelled at the point number `at`."""
    app = App(limits=PATIENT)

    def reach(point: str) -> None:
        points.append(point)
        if len(points) == at:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()

    @app.use
    async def around(req: Any, res: Any, next: Callable[[], Any]) -> None:
        reach("middleware in")
        try:
            await next()
        finally:
            reach("middleware out")

    @app.websocket("/coroutine")
    async def handler(socket: WebSocket) -> None:
        reach("handler")
        await socket.accept()
        reach("accepted")
        async for message in socket:
            reach("message")
            async with socket.stream() as send:
                reach("stream")
                await send(message if isinstance(message, bytes) else message.encode())
                reach("sent")
        reach("end")

    return app


async def cancel_at(at: int) -> list[str]:
    points: list[str] = []
    async with Server(cancellable(points, at), port=0, transport="asyncio", access_log=False) as server:
        before = descriptors()
        with suppress(OSError, EOFError):
            async with asyncio.timeout(1):
                await converse(server.port, None, b"coroutine")
        await settled(server, before)
        assert server._transport is not None
        assert server._site is not None
        assert len(server._transport.timers) == 0
        assert not server._site.tasks
    return points


def test_a_handler_may_be_cancelled_at_every_step() -> None:
    """Whatever step it is cancelled at, in middleware too: its stream ends, and nothing is left."""
    points = AsyncioTransport.run(lambda transport: cancel_at(0))
    assert len(points) > 8
    for at in range(1, len(points) + 1):
        AsyncioTransport.run(lambda transport, at=at: cancel_at(at))
