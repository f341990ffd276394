"""No more connections than there are descriptors for: beyond that nobody is accepted, and nobody is turned away."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from support.providers import REAL_NAMES

from highper_http import App, Server
from highper_transports.asyncio.transport import AsyncioListener
from highper_transports.registry import transport as find_transport

CAPACITY = 16
REQUEST = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


def application() -> App:
    app = App()

    @app.get("/")
    async def plain(req: Any) -> str:
        return "plain"

    return app


@pytest.mark.parametrize("provider", REAL_NAMES)
@pytest.mark.parametrize("place", ["127.0.0.1:0", "unix:{}/place"])
def test_beyond_the_capacity_peers_wait_and_are_then_served(provider: str, place: str, tmp_path: Any) -> None:
    """Those who wait in the system's queue are answered when others have gone."""

    async def connect(address: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(address, str):
            return await asyncio.open_unix_connection(address)
        return await asyncio.open_connection(*address)

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(REQUEST)
        assert (await reader.readuntil(b"plain")).startswith(b"HTTP/1.1 200 ")

    async def main(transport: Any) -> None:
        bind = [place.format(tmp_path)]
        async with Server(
            application(), bind=bind, transport=provider, connections=CAPACITY, access_log=False
        ) as server:
            for _ in range(2):  # twice: a pause ends and may come again
                first = [await connect(server.addresses[0]) for _ in range(CAPACITY)]
                for pair in first:
                    await ask(*pair)
                late = await connect(server.addresses[0])
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await ask(*late)
                for _, writer in first:
                    writer.close()
                async with asyncio.timeout(5):
                    await late[0].readuntil(b"plain")
                    late[1].close()
                    assert server._service is not None
                    while server._service.open:
                        await asyncio.sleep(0.005)

    find_transport(provider).run(main)


def test_in_memory_too() -> None:
    """The same promise without a system."""

    async def main(transport: Any) -> None:
        async with Server(
            application(), bind=["server:1"], transport="memory", connections=CAPACITY, access_log=False
        ) as server:
            inner: Any = server._transport
            first = [await inner.dial(server.addresses[0]) for _ in range(CAPACITY)]
            await asyncio.sleep(0.1)
            late = await inner.dial(server.addresses[0])
            late.send(REQUEST)
            await asyncio.sleep(1)
            assert late.receive_nowait() == b""
            for peer in first:
                peer.close()
            assert (await late.receive()).endswith(b"plain")
            late.close()

    find_transport("memory").run(main)


def test_a_listener_that_is_closed_while_it_resumes() -> None:
    """It leaves nothing behind that accepts, and asks its closed sockets for nothing."""
    closed = []

    class Accepting:
        def close(self) -> None:
            closed.append(self)

    async def serve(listener: socket.socket) -> Any:
        listener.close()
        place.close()
        return Accepting()

    async def main() -> None:
        await place.start()

    place = AsyncioListener([socket.create_server(("127.0.0.1", 0)) for _ in range(2)], serve, None)
    asyncio.run(main())
    assert len(closed) == 1


def test_a_listener_that_could_not_resume_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no descriptor left for a moment it is not deaf for good."""
    from highper_transports.asyncio import transport as module

    monkeypatch.setattr(module, "RETRY", 0.01)
    failures = 2

    async def main(transport: Any) -> None:
        nonlocal failures
        async with Server(application(), port=0, transport="asyncio", access_log=False) as server:
            assert server._service is not None
            [listener] = server._service.listeners
            assert isinstance(listener, module.AsyncioListener)
            serve = listener._serve

            async def fails_twice(sock: Any) -> Any:
                nonlocal failures
                if failures:
                    failures -= 1
                    sock.close()
                    raise OSError(24, "too many open files")
                return await serve(sock)

            listener._serve = fails_twice
            listener.pause()
            listener.resume()
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(REQUEST)
            assert (await reader.readuntil(b"plain")).startswith(b"HTTP/1.1 200 ")
            writer.close()
            await writer.wait_closed()

    find_transport("asyncio").run(main)
    assert failures == 0
