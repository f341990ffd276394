"""Every call a server makes to the system fails once, with each error it can have.

The provider is asyncio over real sockets, because its calls go through Python and can be made to fail one by one. A
conversation is counted first; then, for every call of every site and every error, it is held again with just that call
failing. Afterwards nothing is left over, and the next conversation is answered in full.
"""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import trustme
from support.faults import ERRORS, FaultPlan, FaultyContext, FaultySocket
from support.torment import application, converse, descriptors, settled

from highper_http import App, Server
from highper_transports.asyncio import AsyncioTransport
from highper_transports.sockets import Binding

PLAIN_SITES = ("accept", "recv", "send", "shutdown", "close", "setsockopt")
TLS_SITES = ("do_handshake", "read", "write", "unwrap", "recv", "send")
# where a system call fails inside asyncio itself, asyncio leaves the socket to the collector
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
CERTIFICATE = trustme.CA().issue_cert("localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultyBinding(Binding):
    """A binding whose sockets, and those they accept, ask a plan."""

    plan: FaultPlan = field(default_factory=FaultPlan)

    def open(self) -> list[Any]:
        return [FaultySocket.adopt(sock, self.plan) for sock in Binding.open(self)]


@asynccontextmanager
async def serving(plan: FaultPlan, context: FaultyContext | None) -> AsyncIterator[Server]:
    binding = FaultyBinding(host="127.0.0.1", port=0, plan=plan)
    server = Server(application(), bind=[binding], transport="asyncio", ssl=context, access_log=False)
    if context is not None:
        from highper_transports.tls import TLS

        binding = FaultyBinding(host="127.0.0.1", port=0, plan=plan, tls=TLS(context))
        server = Server(application(), bind=[binding], transport="asyncio", access_log=False)
    async with server:
        yield server


def contexts(secured: bool, plan: FaultPlan) -> tuple[FaultyContext | None, ssl.SSLContext | None]:
    if not secured:
        return None, None
    ours = FaultyContext(ssl.PROTOCOL_TLS_SERVER)
    ours.plan = plan
    CERTIFICATE.configure_cert(ours)
    theirs = ssl.create_default_context()
    theirs.check_hostname = False
    theirs.verify_mode = ssl.CERT_NONE
    return ours, theirs


async def torment(transport: AsyncioTransport, site: str, secured: bool) -> int:
    """Fail every call of `site` in turn; return how many were failed."""
    plan = FaultPlan()
    ours, theirs = contexts(secured, plan)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)  # asyncio reports what it was made to suffer
    tried = 0
    async with serving(plan, ours) as server:
        whole = await converse(server.port, theirs)
        gc.collect()
        await asyncio.sleep(0.05)
        before = descriptors()
        plan.arm("", 0, OSError)
        assert await converse(server.port, theirs) == whole
        await settled(server, before)
        calls = plan.calls[site]
        assert calls, f"the conversation never calls {site}"
        for at in range(1, calls + 1):
            for error in ERRORS[site]:
                plan.arm(site, at, error)
                with suppress(OSError, ssl.SSLError, EOFError, TimeoutError):
                    async with asyncio.timeout(1):
                        await converse(server.port, theirs)
                plan.disarm()
                await settled(server, before)
                assert await converse(server.port, theirs) == whole
                await settled(server, before)
                tried += plan.fired
        assert server._transport is not None
        assert len(server._transport.timers) == 0
    gc.collect()
    return tried


@pytest.mark.parametrize("site", PLAIN_SITES)
def test_every_socket_call_may_fail(site: str) -> None:
    """After any failed call nothing is leaked and the next conversation is answered."""
    assert AsyncioTransport.run(lambda transport: torment(transport, site, False)) > 0


@pytest.mark.parametrize("site", TLS_SITES)
def test_every_tls_step_may_fail(site: str) -> None:
    """The same beneath TLS."""
    assert AsyncioTransport.run(lambda transport: torment(transport, site, True)) > 0


def cancellable(points: list[str], at: int) -> tuple[App, Callable[[str], None]]:
    """An application that cancels its own task at the point number `at`, as a disconnect would."""
    app = App()

    def reach(point: str) -> None:
        points.append(point)
        if len(points) == at:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()

    @app.use
    async def around(req: Any, res: Any, next: Any) -> None:
        reach("middleware in")
        try:
            await next()
        finally:
            reach("middleware out")

    @app.post("/")
    async def handler(req: Any, res: Any) -> None:
        reach("handler")
        async for _ in req.stream():
            reach("content")
        reach("content end")
        async with res.stream() as send:
            reach("stream")
            for _ in range(3):
                await send(b"x" * 100_000)
                reach("sent")
        reach("end")

    return app, reach


async def cancel_at(at: int) -> list[str]:
    points: list[str] = []
    app, _ = cancellable(points, at)
    async with Server(app, port=0, transport="asyncio", access_log=False) as server:
        before = descriptors()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\nconnection: close\r\n\r\nabc")
        await asyncio.sleep(0.002)
        writer.write(b"def")
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        await settled(server, before)
        assert server._transport is not None
        assert len(server._transport.timers) == 0
    return points


def test_a_task_may_be_cancelled_at_every_step() -> None:
    """Whatever step a handler is cancelled at, its stream ends and nothing is left."""
    points = AsyncioTransport.run(lambda transport: cancel_at(0))
    assert len(points) > 8
    for at in range(1, len(points) + 1):
        AsyncioTransport.run(lambda transport, at=at: cancel_at(at))
