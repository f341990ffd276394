"""The loop of the epoll provider is asyncio's, whole: its own tests pass on it, and so does what others build on it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

import highper_http
from highper_http import App, Request
from highper_http.server import Server
from highper_transports.epoll import EpollTransport
from highper_transports.sockets import Binding
from highper_transports.testing import Recorder

SUITE = Path(__file__).with_name("cpython_suite.py")
ROOT = Path(highper_http.__file__).parents[1]
MODULES = (
    "test_base_events",
    "test_buffered_proto",
    "test_events",
    "test_runners",
    "test_selector_events",
    "test_sendfile",
    "test_server",
    "test_sock_lowlevel",
    "test_streams",
    "test_subprocess",
    "test_timeouts",
    "test_unix_events",
)


@pytest.mark.timeout(300)
@pytest.mark.skipif(find_spec("test") is None or find_spec("test.test_asyncio") is None, reason="no CPython tests here")
@pytest.mark.parametrize("module", MODULES)
def test_cpythons_own(module: str, tmp_path: Path) -> None:
    """CPython's tests of asyncio pass with our loop in place of its own."""
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    run = subprocess.run(
        [sys.executable, "-W", "ignore", str(SUITE), module],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-4000:]


def on_epoll(main: Callable[[EpollTransport], Coroutine[Any, Any, Any]]) -> Any:
    """Run a coroutine function on the provider's own loop."""
    return EpollTransport.run(main)


async def until(predicate: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not predicate():
            await asyncio.sleep(0.001)


class Busy:
    """Streams of ours between which bytes never stop flying, so that `select` always has something to serve."""

    def __init__(self, transport: EpollTransport, path: Path) -> None:
        self.transport = transport
        self.path = str(path / "busy")
        self.turns = 0

    def _bounce(self, recorder: Recorder) -> None:
        self.turns += 1
        recorder.data.clear()
        recorder.stream.write(b"x")

    async def __aenter__(self) -> Busy:
        binding = Binding(path=self.path)
        self.listener = await self.transport.listen(binding, lambda stream: Recorder(stream, self._bounce))
        self.near: list[Any] = []
        for _ in range(4):
            stream = await self.transport.connect(self.path, lambda stream: Recorder(stream, self._bounce))
            stream.write(b"x")
            self.near.append(stream)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self.turns, "nothing was busy"
        self.listener.close()
        for stream in self.near:
            stream.receiver.answer = None
            stream.abort()
        await asyncio.sleep(0.01)


def test_everybody_has_a_turn_beside_busy_streams(tmp_path: Path) -> None:
    """Callbacks, timers, threads, readers, signals and children go on while our streams are never silent."""

    async def main(transport: EpollTransport) -> None:
        loop = asyncio.get_running_loop()
        async with Busy(transport, tmp_path), asyncio.timeout(20):
            for _ in range(100):
                await asyncio.sleep(0)
            before = loop.time()
            await asyncio.sleep(0.05)
            assert loop.time() - before >= 0.05

            assert await loop.run_in_executor(None, threading.get_ident) != threading.get_ident()
            assert await asyncio.to_thread(sum, (1, 2)) == 3

            from_thread = loop.create_future()
            thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(from_thread.set_result, "thread"))
            thread.start()
            assert await from_thread == "thread"
            thread.join()

            left, right = socket.socketpair()
            readable = loop.create_future()
            loop.add_reader(left, lambda: readable.done() or readable.set_result(left.recv(10)))
            right.send(b"foreign")
            assert await readable == b"foreign"
            assert loop.remove_reader(left)
            writable = loop.create_future()
            loop.add_writer(right, lambda: writable.done() or writable.set_result(True))
            assert await writable
            assert loop.remove_writer(right)
            left.close()
            right.close()

            told = loop.create_future()
            loop.add_signal_handler(signal.SIGUSR1, told.set_result, "signal")
            os.kill(os.getpid(), signal.SIGUSR1)
            assert await told == "signal"
            assert loop.remove_signal_handler(signal.SIGUSR1)

            assert (await loop.getaddrinfo("127.0.0.1", 80))[0][4] == ("127.0.0.1", 80)
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "print(6 * 7)", stdout=asyncio.subprocess.PIPE
            )
            output, _ = await child.communicate()
            assert (output.strip(), child.returncode) == (b"42", 0)

    on_epoll(main)


def test_an_idle_loop_wakes_for_threads_signals_and_timers() -> None:
    """Waiting in `select` for ever, the loop hears of a thread, a signal and a child."""

    async def main(transport: EpollTransport) -> None:
        loop = asyncio.get_running_loop()
        waiting = loop.create_future()
        threading.Timer(0.02, lambda: loop.call_soon_threadsafe(waiting.set_result, None)).start()
        await asyncio.wait_for(waiting, 10)
        told: list[int] = []
        transport.watch_signal(signal.SIGUSR2, lambda: told.append(signal.SIGUSR2))
        threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGUSR2)).start()
        await until(lambda: told)
        transport.watch_signal(signal.SIGUSR2, None)
        assert told == [signal.SIGUSR2]

    on_epoll(main)


def test_a_handler_of_pythons_own_runs_while_the_loop_waits() -> None:
    """A signal interrupts `epoll_wait`: what `signal.signal` installed runs at once, and the wait goes on."""
    told: list[int] = []

    async def main(transport: EpollTransport) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time()
        timer = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGUSR1))
        timer.start()
        await asyncio.sleep(0.2)
        timer.join()
        assert told == [signal.SIGUSR1]
        assert loop.time() - before >= 0.2

    previous = signal.signal(signal.SIGUSR1, lambda number, frame: told.append(number))
    try:
        on_epoll(main)
    finally:
        signal.signal(signal.SIGUSR1, previous)


def test_an_interrupt_leaves_the_loop() -> None:
    """KeyboardInterrupt from a receiver, and nothing less, leaves `select`; what was to be called soon still is."""
    called: list[str] = []
    handled: list[Any] = []

    async def main(transport: EpollTransport) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: handled.append(context["exception"]))

        def fail(error: BaseException) -> None:
            raise error

        transport.call_soon(fail, LookupError("kept inside"))
        await asyncio.sleep(0.01)
        transport.call_soon(fail, SystemExit(7))
        transport.call_soon(called.append, "later")
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(0.01)

    with pytest.raises(SystemExit):
        on_epoll(main)
    assert called == ["later"]
    assert [type(item) for item in handled] == [LookupError]


def test_a_receiver_that_fails_costs_its_own_stream_only() -> None:
    """What a receiver raises goes to the loop's exception handler, ends its stream with it, and spares the others."""

    async def main(transport: EpollTransport) -> None:
        loop = asyncio.get_running_loop()
        handled: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda loop, context: handled.append(context))
        far: list[Recorder] = []

        def fail(recorder: Recorder) -> None:
            if recorder.data == b"fail" and recorder.calls[-1] == "received":
                raise LookupError("on purpose")

        listener = await transport.listen(Binding(host="127.0.0.1"), lambda stream: far.append(Recorder(stream, fail)))
        near = [await transport.connect(listener.address, Recorder) for _ in range(3)]
        await until(lambda: len(far) == 3)
        for stream, data in zip(near, (b"fine", b"fail", b"fine"), strict=True):
            stream.write(data)
        await until(lambda: any("lost" in recorder.calls for recorder in far))
        await until(lambda: sorted(bytes(recorder.data) for recorder in far) == [b"fail", b"fine", b"fine"])
        assert [type(context["exception"]) for context in handled] == [LookupError]
        [broken] = [recorder for recorder in far if recorder.data == b"fail"]
        assert isinstance(broken.error, LookupError)
        listener.close()
        for stream in near:
            stream.abort()
        await asyncio.sleep(0.01)

    on_epoll(main)


def test_anyio_works() -> None:
    """anyio's sockets, task groups, events, threads and processes."""

    async def main(transport: EpollTransport) -> None:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")

        async def serve(client: Any) -> None:
            async with client:
                await client.send((await client.receive()).upper())

        async with anyio.create_task_group() as group:
            group.start_soon(listener.serve, serve)
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            async with await anyio.connect_tcp("127.0.0.1", port) as client:
                await client.send(b"hello")
                assert await client.receive() == b"HELLO"
            assert await anyio.to_thread.run_sync(lambda: anyio.from_thread.run(anyio.sleep, 0)) is None
            done = await anyio.run_process([sys.executable, "-c", "print('child')"])
            assert done.stdout.strip() == b"child"
            group.cancel_scope.cancel()
        await listener.aclose()

    on_epoll(main)


def test_httpx_talks_to_our_server_in_one_loop() -> None:
    """A client on asyncio's streams and a server on ours share the loop and its one epoll set."""
    app = App()

    @app.get("/")
    async def hello(request: Request) -> str:
        await asyncio.sleep(0.001)
        return "hello"

    @app.post("/")
    async def echo(request: Request) -> bytes:
        return await request.body()

    async def main(transport: EpollTransport) -> None:
        async with Server(app, host="127.0.0.1", port=0, transport="epoll") as server:
            host, port = server.addresses[0]
            async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
                answers = await asyncio.gather(*(client.get("/") for _ in range(20)))
                assert {answer.text for answer in answers} == {"hello"}
                large = os.urandom(1_000_000)
                assert (await client.post("/", content=large)).content == large

    on_epoll(main)


def test_closing_the_loop_closes_our_sockets() -> None:
    """What was left open at the end of a run is closed with the loop."""
    left: list[socket.socket] = []

    async def main(transport: EpollTransport) -> None:
        listener = await transport.listen(Binding(host="127.0.0.1"), Recorder)
        peer = socket.create_connection(listener.address)
        left.append(peer)
        await until(lambda: transport.poller.records.open)

    on_epoll(main)
    with left[0] as peer:
        peer.settimeout(10)
        assert peer.recv(1) == b""
