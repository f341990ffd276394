"""The epoll provider inside loops that somebody else made keeps the same promises, and leaves nothing behind there."""

from __future__ import annotations

import asyncio
import gc
import os
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from highper_transports.asyncio.tasks import NATIVE
from highper_transports.epoll import EpollTransport
from highper_transports.sockets import Binding
from highper_transports.testing import PROMISES, Options, Promise, Recorder, check_promise
from highper_transports.tls import TLS, client_context, server_context

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.SelectorEventLoop,
    "uvloop": uvloop.new_event_loop,
}


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[TLS, TLS]:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    server = TLS(server_context(str(folder / "server.pem")))
    return server, TLS(client_context(authority=str(folder / "ca.pem")), server_hostname="127.0.0.1")


def inside(loop: str) -> Any:
    """Return the provider, run in a foreign loop."""

    class Embedded(EpollTransport):
        @classmethod
        def new_loop(cls) -> asyncio.AbstractEventLoop:
            return LOOPS[loop]()

    return Embedded


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.name)
def test_promise(loop: str, promise: Promise, tls: tuple[TLS, TLS]) -> None:
    """The provider keeps the promise in a loop that it did not make."""
    check_promise(inside(loop), promise, Options(tls=tls, eager=NATIVE))


def held() -> list[str]:
    """Return what the open descriptors are, sockets and epoll sets alone."""
    gc.collect()
    found = []
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the one that the list was read from
            found.append(os.readlink(f"/proc/self/fd/{name}"))
    return sorted(item for item in found if item.startswith(("socket:", "anon_inode:[eventpoll]")))


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_is_given_back_as_it_was(loop: str) -> None:
    """With the last listener and stream the epoll descriptor leaves the loop, and with the transport it is closed."""

    async def use() -> weakref.ref[EpollTransport]:
        transport = EpollTransport()
        far: list[Recorder] = []
        listener = await transport.listen(Binding(host="127.0.0.1"), lambda stream: far.append(Recorder(stream)))
        near = await transport.connect(listener.address, Recorder)
        near.write(b"x")
        while not far or not far[0].data:
            await asyncio.sleep(0.001)
        listener.close()
        near.close()
        far[0].stream.close()
        while "lost" not in far[0].calls:
            await asyncio.sleep(0.001)
        return weakref.ref(transport)

    async def main(transport: EpollTransport) -> None:
        before = held()
        gone = await use()
        await asyncio.sleep(0.01)
        assert held() == before
        assert gone() is None

    inside(loop).run(main)


@pytest.mark.parametrize("loop", LOOPS)
def test_two_transports_share_a_loop(loop: str) -> None:
    """Each transport has a set of its own; closing one leaves the other."""

    async def main(first: EpollTransport) -> None:
        second = EpollTransport()
        made: list[Recorder] = []

        def echo(stream: Any) -> None:
            made.append(Recorder(stream, lambda recorder: recorder.stream.write(b"answer")))

        listeners = [await transport.listen(Binding(host="127.0.0.1"), echo) for transport in (first, second)]
        listeners[0].close()
        near: list[Recorder] = []
        stream = await first.connect(listeners[1].address, lambda stream: near.append(Recorder(stream)))
        stream.write(b"question")
        while near[0].data != b"answer":
            await asyncio.sleep(0.001)
        listeners[1].close()
        stream.abort()
        await asyncio.sleep(0.01)

    inside(loop).run(main)


def test_a_busy_transport_leaves_the_loop_its_turn(tmp_path: Path) -> None:
    """Streams that never fall silent keep no callback of the foreign loop waiting."""

    async def main(transport: EpollTransport) -> None:
        def bounce(recorder: Recorder) -> None:
            recorder.data.clear()
            recorder.stream.write(b"x")

        listener = await transport.listen(Binding(path=str(tmp_path / "s")), lambda stream: Recorder(stream, bounce))
        for _ in range(8):
            stream = await transport.connect(listener.address, lambda stream: Recorder(stream, bounce))
            stream.write(b"x")
        for _ in range(200):
            await asyncio.sleep(0)
        transport.poller.close()

    inside("asyncio").run(main)
