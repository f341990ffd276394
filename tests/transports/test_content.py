"""Real sockets, over every provider: content, files, and the pressure of who takes it slowly."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import tempfile
from typing import Any

import pytest
from support.providers import provider
from transports.site import GET, Site, ask, certified, collect, echo, serving

from highper_core import events as ev
from highper_transports.asyncio import AsyncioTransport
from highper_transports.errors import StreamBroken
from highper_transports.exchange import Exchange
from highper_transports.sockets import Binding
from highper_transports.stream import Receiver, Stream
from highper_transports.tls import TLS, client_context, server_context

__all__ = ["certified", "provider"]


def test_content_both_ways(provider: type[AsyncioTransport]) -> None:
    content = os.urandom(300_000)

    async def client(site: Site, address: Any) -> bytes:
        head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(content)
        return await ask(address, head + content)

    assert serving(provider, echo, client).endswith(content)


@pytest.mark.parametrize("secured", [False, True])
def test_large_content_arrives_whole_and_the_next_request_behind_it(
    provider: type[AsyncioTransport], certified: tuple[str, str], secured: bool
) -> None:
    content = os.urandom(3_000_000)
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
    last = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi"
    options: dict[str, Any] = {}
    if secured:
        options = {"ssl": client_context(authority=certified[1]), "server_hostname": "localhost"}

    async def client(site: Site, address: Any) -> bytes:
        reader, writer = await asyncio.open_connection(*address, **options)
        writer.write(head % len(content))
        await asyncio.sleep(0.02)
        writer.write(content + last)
        answer = await reader.read()
        writer.close()
        assert site.application.errors == []
        return answer

    binding = Binding(host="127.0.0.1", tls=TLS(server_context(certified[0])) if secured else None)
    answer = serving(provider, collect, client, binding)
    assert content in answer
    assert answer.endswith(b"hi")


@pytest.mark.parametrize("reset", [False, True])
def test_large_content_that_breaks_off(provider: type[AsyncioTransport], reset: bool) -> None:
    async def client(site: Site, address: Any) -> list[BaseException | None]:
        with socket.create_connection(address) as peer:
            peer.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n\r\n")
            await asyncio.sleep(0.02)
            peer.sendall(b"x" * 1000)
            await asyncio.sleep(0.02)
            if reset:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for _ in range(100):
            if site.application.lost:
                break
            await asyncio.sleep(0.01)
        return site.application.lost

    assert [type(error) for error in serving(provider, collect, client)] == [StreamBroken]


def test_an_answer_under_pressure_while_content_is_received(provider: type[AsyncioTransport]) -> None:
    """Write pressure is told to the stream while another protocol stands in for it."""
    total = 40 * 1024 * 1024

    async def both(exchange: Exchange) -> None:
        exchange.send(ev.Response(status_code=200, headers=[(b"content-length", b"%d" % total)]))
        receiving = asyncio.ensure_future(exchange.receive_content())
        await asyncio.sleep(0)
        for _ in range(total // 65536):
            exchange.send(ev.Data(b"x" * 65536))
            await exchange.drain()
        await receiving
        exchange.send(ev.END_OF_MESSAGE)

    async def client(site: Site, address: Any) -> int:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n\r\n")
        await asyncio.sleep(0.1)
        writer.write(b"y" * 900000)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        assert site.application.errors == []
        return len(answer)

    assert serving(provider, both, client) > total


def test_a_slow_taker_holds_the_writer_back(provider: type[AsyncioTransport]) -> None:
    written = 0
    total = 64 * 1024 * 400

    async def stream(exchange: Exchange) -> None:
        nonlocal written
        exchange.send(ev.Response(status_code=200, headers=[(b"content-length", b"%d" % total)]))
        for _ in range(400):
            exchange.send(ev.Data(b"x" * 65536))
            written += 65536
            await exchange.drain()
        exchange.send(ev.END_OF_MESSAGE)

    async def client(site: Site, address: Any) -> int:
        with socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            peer.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(peer, address)
            await loop.sock_sendall(peer, GET)
            await asyncio.sleep(0.1)
            held = written
            got = 0
            while got < total:
                got += len(await loop.sock_recv(peer, 1 << 20))
            return held

    assert serving(provider, stream, client) < total


def test_a_file_is_sent_whole_or_in_part(provider: type[AsyncioTransport]) -> None:
    data = os.urandom(200_000)

    async def send(exchange: Exchange) -> None:
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.flush()
            exchange.send(ev.Response(status_code=200, headers=[(b"content-length", b"150000")]))
            await exchange.send_file(file, 50_000, 150_000)
            exchange.send(ev.END_OF_MESSAGE)
            assert exchange.bytes_sent == 150_000

    async def client(site: Site, address: Any) -> bytes:
        answer = await ask(address, GET * 2)
        assert site.application.errors == []
        return answer

    answer = serving(provider, send, client)
    assert answer.count(data[50_000:]) == 2


def test_a_file_that_ends_early_aborts(provider: type[AsyncioTransport]) -> None:
    async def send(exchange: Exchange) -> None:
        with tempfile.TemporaryFile() as file:
            file.write(b"short")
            file.flush()
            exchange.send(ev.Response(status_code=200, headers=[(b"content-length", b"100")]))
            await exchange.send_file(file, 0, 100)

    async def client(site: Site, address: Any) -> list[BaseException]:
        with pytest.raises(ConnectionError):
            await ask(address, GET)
        return site.application.errors

    errors = serving(provider, send, client)
    assert [type(error) for error in errors] == [StreamBroken]


def test_a_peer_that_takes_nothing_of_a_file_is_given_up(provider: type[AsyncioTransport]) -> None:
    """Within the write timeout, however the file is moved."""

    async def send(exchange: Exchange) -> None:
        with tempfile.TemporaryFile() as file:
            file.truncate(50_000_000)
            exchange.send(ev.Response(status_code=200, headers=[(b"content-length", b"50000000")]))
            await exchange.send_file(file, 0, 50_000_000)

    async def client(site: Site, address: Any) -> None:
        with socket.create_connection(address) as peer:
            peer.sendall(GET)
            for _ in range(300):
                await asyncio.sleep(0.01)
                if not site.service.open:
                    break
            assert site.service.open == 0

    serving(provider, send, client, write_timeout=0.3)


def test_a_peer_that_resets_inside_a_file(provider: type[AsyncioTransport]) -> None:
    async def send(exchange: Exchange) -> None:
        with tempfile.TemporaryFile() as file:
            file.truncate(50_000_000)
            exchange.send(ev.Response(status_code=200, headers=[(b"content-length", b"50000000")]))
            await exchange.send_file(file, 0, 50_000_000)

    async def client(site: Site, address: Any) -> None:
        with socket.create_connection(address) as peer:
            peer.sendall(GET)
            await asyncio.sleep(0.05)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for _ in range(300):
            await asyncio.sleep(0.01)
            if not site.service.open:
                break
        assert site.service.open == 0

    serving(provider, send, client)


def test_a_list_of_buffers_is_one_write(provider: type[AsyncioTransport]) -> None:
    class Raw(Receiver):
        def __init__(self, stream: Stream) -> None:
            self.stream = stream
            stream.receiver = self

        def received(self, data: bytes, now: float) -> None:
            self.stream.write([data, b" ", data])
            self.stream.close()

    async def main(transport: Any) -> bytes:
        listener = await transport.listen(Binding(host="127.0.0.1"), Raw)
        answer = await ask(listener.address, b"twice")
        listener.close()
        listener.close()
        return answer

    assert provider.run(main) == b"twice twice"
