"""Real sockets, over every provider that has them: listening, TLS, files, pressure, resets, and an orderly stop."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import signal
import socket
import ssl
import struct
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from support.providers import REAL

from highper_core import HttpConnection, Role
from highper_core import events as ev
from highper_core.limits import Limits
from highper_transports.asyncio import AsyncioTransport
from highper_transports.driver import Driver
from highper_transports.errors import BindingInvalid, ConnectFailed, StreamBroken
from highper_transports.exchange import Exchange
from highper_transports.service import Service
from highper_transports.sockets import Binding
from highper_transports.stream import Receiver, Stream
from highper_transports.tls import TLS, client_context, server_context

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
Answer = Callable[[Exchange], Coroutine[Any, Any, None]]


@pytest.fixture(params=REAL, ids=lambda provider: provider.name)
def provider(request: pytest.FixtureRequest) -> type[AsyncioTransport]:
    return request.param


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class Application:
    """Runs one coroutine function for every exchange, in a task of its own."""

    def __init__(self, transport: Any, answer: Answer) -> None:
        self.transport = transport
        self.answer = answer
        self.lost: list[BaseException | None] = []
        self.errors: list[BaseException] = []

    def begin(self, exchange: Exchange) -> None:
        exchange.task = self.transport.spawn(self._run(exchange), contextvars.copy_context())

    async def _run(self, exchange: Exchange) -> None:
        try:
            await self.answer(exchange)
        except Exception as error:
            self.errors.append(error)
        finally:
            exchange.close()

    def disconnected(self, exchange: Exchange, error: BaseException | None) -> None:
        self.lost.append(error)
        if exchange.task is not None:
            exchange.task.cancel()


class Site:
    """A service that listens."""

    def __init__(self, transport: Any, answer: Answer, **limits: Any) -> None:
        self.transport = transport
        self.application = Application(transport, answer)
        self.limits = Limits(**limits)
        self.service = Service(
            transport, self.application, lambda: HttpConnection(Role.SERVER, limits=self.limits), self.limits
        )
        self.listeners: list[Any] = []

    async def listen(self, binding: Binding | None = None) -> Any:
        listener = await self.transport.listen(binding or Binding(host="127.0.0.1"), self.service.opened)
        self.listeners.append(listener)
        return listener.address

    async def stop(self, timeout: float = 5) -> None:
        for listener in self.listeners:
            listener.close()
        await self.service.stop(timeout)
        await asyncio.sleep(0)
        assert self.service.open == 0
        assert len(self.transport.timers) == 0


def serving(
    provider: type[AsyncioTransport],
    answer: Answer,
    client: Callable[[Site, Any], Awaitable[Any]],
    binding: Binding | None = None,
    **limits: Any,
) -> Any:
    """Serve, let `client` talk to it, stop; return what the client returned."""

    async def main(transport: Any) -> Any:
        site = Site(transport, answer, **limits)
        address = await site.listen(binding)
        try:
            return await client(site, address)
        finally:
            await site.stop()

    return provider.run(main)


async def hello(exchange: Exchange) -> None:
    exchange.send_message(ev.Response(status_code=200), b"hello")


async def echo(exchange: Exchange) -> None:
    content = b""
    while isinstance(event := await exchange.receive(), ev.Data):
        content += event.data
    exchange.send_message(ev.Response(status_code=200), content)


async def ask(address: Any, data: bytes, **options: Any) -> bytes:
    """Send bytes and the end of input; return all that comes."""
    if isinstance(address, str):
        reader, writer = await asyncio.open_unix_connection(address)
    else:
        reader, writer = await asyncio.open_connection(*address, **options)
    writer.write(data)
    if not options:
        writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


# Listening


def test_port_zero_reports_its_address(provider: type[AsyncioTransport]) -> None:
    async def client(site: Site, address: Any) -> bytes:
        assert address[0] == "127.0.0.1"
        assert address[1] > 0
        return await ask(address, GET * 3)

    answer = serving(provider, hello, client)
    assert answer.count(b"HTTP/1.1 200 OK") == 3


def test_dual_stack_and_several_bindings(provider: type[AsyncioTransport], tmp_path: Path) -> None:
    async def client(site: Site, address: Any) -> list[bytes]:
        unix = await site.listen(Binding(path=str(tmp_path / "s")))
        return [
            await ask(("127.0.0.1", address[1]), GET),
            await ask(("::1", address[1]), GET),
            await ask(unix, GET),
        ]

    answers = serving(provider, hello, client, Binding())
    assert all(answer.endswith(b"hello") for answer in answers)
    assert not (tmp_path / "s").exists()


def test_a_unix_socket_that_was_replaced_is_left_alone(provider: type[AsyncioTransport], tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def client(site: Site, address: Any) -> None:
        path.unlink()
        path.write_text("somebody else's")

    serving(provider, hello, client, Binding(path=str(path)))
    assert path.read_text() == "somebody else's"
    path.unlink()

    async def remover(site: Site, address: Any) -> None:
        path.unlink()

    serving(provider, hello, remover, Binding(path=str(path)))


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_an_inherited_descriptor(provider: type[AsyncioTransport], family: int, tmp_path: Path) -> None:
    with socket.socket(family) as inherited:
        inherited.bind(("127.0.0.1", 0) if family == socket.AF_INET else str(tmp_path / "s"))
        inherited.listen()

        async def client(site: Site, address: Any) -> bytes:
            return await ask(address, GET)

        assert serving(provider, hello, client, Binding(fd=inherited.fileno())).endswith(b"hello")
        inherited.getsockname()


def test_a_taken_address_is_refused(provider: type[AsyncioTransport]) -> None:
    async def client(site: Site, address: Any) -> None:
        with pytest.raises(BindingInvalid):
            await site.listen(Binding(host=address[0], port=address[1]))

    serving(provider, hello, client)


def test_a_closed_listener_accepts_nobody_and_its_streams_live_on(provider: type[AsyncioTransport]) -> None:
    async def client(site: Site, address: Any) -> bytes:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(GET)
        await reader.readuntil(b"hello")
        site.listeners[0].close()
        await asyncio.sleep(0.01)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)
        writer.write(GET)
        answer = await reader.readuntil(b"hello")
        writer.close()
        return answer

    assert serving(provider, hello, client).endswith(b"hello")


# Content, pressure, files


def test_content_both_ways(provider: type[AsyncioTransport]) -> None:
    content = os.urandom(300_000)

    async def client(site: Site, address: Any) -> bytes:
        head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(content)
        return await ask(address, head + content)

    assert serving(provider, echo, client).endswith(content)


async def collect(exchange: Exchange) -> None:
    content = await exchange.receive_content()
    exchange.send_message(ev.Response(status_code=200), content)


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


# The peer goes


def test_a_reset_cancels_what_runs(provider: type[AsyncioTransport]) -> None:
    async def wait(exchange: Exchange) -> None:
        await asyncio.Event().wait()

    async def client(site: Site, address: Any) -> list[BaseException | None]:
        with socket.create_connection(address) as peer:
            peer.sendall(GET)
            await asyncio.sleep(0.05)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for _ in range(100):
            if site.application.lost:
                break
            await asyncio.sleep(0.01)
        return site.application.lost

    lost = serving(provider, wait, client)
    assert [type(error) for error in lost] == [StreamBroken]


def test_a_reset_between_the_answer_and_its_end(provider: type[AsyncioTransport]) -> None:
    """What is written to a peer that has closed is answered by a reset, before our side ends: that must not raise."""
    answered = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await answered.wait()
        exchange.send_message(ev.Response(status_code=200, headers=[]), b"early")

    async def client(site: Site, address: Any) -> None:
        _, writer = await asyncio.open_connection(*address)
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9000000\r\n\r\n" + b"x" * 200_000)
        await asyncio.sleep(0.1)
        writer.transport.abort()
        await asyncio.sleep(0.1)
        failures: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))
        answered.set()
        for _ in range(100):
            await asyncio.sleep(0.01)
            if not site.service.open:
                break
        assert site.service.open == 0
        gc.collect()
        assert failures == []

    serving(provider, answer, client)


@pytest.mark.parametrize("piece", [b"", b"x" * 10_000], ids=["empty", "large"])
def test_an_endless_answer_to_a_peer_that_left_ends(provider: type[AsyncioTransport], piece: bytes) -> None:
    """A broken stream takes whatever is written. A handler that never waits must still learn of its end."""
    pieces = 0

    async def answer(exchange: Exchange) -> None:
        nonlocal pieces
        exchange.send(ev.Response(status_code=200, headers=[]))
        await asyncio.sleep(0.1)
        while pieces < 100_000:
            pieces += 1
            if piece:
                exchange.send(ev.Data(piece))
            await exchange.drain()

    async def client(site: Site, address: Any) -> None:
        _, writer = await asyncio.open_connection(*address)
        writer.write(GET)
        writer.write_eof()  # from now on the server reads nothing, and does not see the reset
        await asyncio.sleep(0.05)
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        await asyncio.sleep(0.2)
        if piece:
            assert pieces < 1000

    serving(provider, answer, client)


def test_a_peer_that_takes_everything_is_not_served_alone(provider: type[AsyncioTransport]) -> None:
    """Others get the loop while a handler writes without ever having to wait."""
    passes = 0

    async def answer(exchange: Exchange) -> None:
        nonlocal passes
        exchange.send(ev.Response(status_code=200, headers=[]))

        def tick() -> None:
            nonlocal passes
            passes += 1

        for _ in range(1000):
            asyncio.get_running_loop().call_soon(tick)
            exchange.send(ev.Data(b"x"))
            await exchange.drain()
        assert passes >= 900
        exchange.send(ev.END_OF_MESSAGE)

    async def client(site: Site, address: Any) -> None:
        assert (await ask(address, GET)).endswith(b"0\r\n\r\n")
        assert site.application.errors == []

    serving(provider, answer, client)


def test_an_abort_is_seen_as_a_reset(provider: type[AsyncioTransport]) -> None:
    async def give_up(exchange: Exchange) -> None:
        exchange.send(ev.Response(status_code=200))
        exchange.abort()

    async def client(site: Site, address: Any) -> None:
        with pytest.raises(ConnectionResetError):
            await ask(address, GET)

    serving(provider, give_up, client)


def test_a_refusal_can_be_read_though_bytes_were_left_unread(provider: type[AsyncioTransport]) -> None:
    async def client(site: Site, address: Any) -> bytes:
        return await ask(address, b"GET / HTTP/1.1\r\n\r\n" + b"x" * 200_000)

    answer = serving(provider, hello, client)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in answer.lower()


def test_slow_heads_are_ended(provider: type[AsyncioTransport]) -> None:
    async def client(site: Site, address: Any) -> tuple[bytes, bytes]:
        silent = await asyncio.open_connection(*address)
        dripping = await asyncio.open_connection(*address)
        dripping[1].write(b"GET / HT")
        answers = await silent[0].read(), await dripping[0].read()
        silent[1].close()
        dripping[1].close()
        return answers

    silent, dripping = serving(provider, hello, client, first_byte_timeout=0.2, head_timeout=0.2)
    assert silent == b""
    assert dripping.startswith(b"HTTP/1.1 408 ")


def test_streams_rest_and_wake(provider: type[AsyncioTransport]) -> None:
    async def client(site: Site, address: Any) -> None:
        reader, writer = await asyncio.open_connection(*address)
        for _ in range(2):
            writer.write(GET)
            await reader.readuntil(b"hello")
            assert site.service.resting == 0
            for _ in range(300):
                await asyncio.sleep(0.01)
                if site.service.resting:
                    break
            assert site.service.resting == 1
        writer.close()

    serving(provider, hello, client)


# Stopping


def test_stop_waits_for_what_runs(provider: type[AsyncioTransport]) -> None:
    async def slow(exchange: Exchange) -> None:
        await asyncio.sleep(0.1)
        await hello(exchange)

    async def client(site: Site, address: Any) -> bytes:
        asking = asyncio.ensure_future(ask(address, GET))
        await asyncio.sleep(0.03)
        await site.stop()
        return await asking

    answer = serving(provider, slow, client)
    assert b"connection: close" in answer.lower()
    assert answer.endswith(b"hello")


def test_stop_cancels_what_takes_too_long(provider: type[AsyncioTransport]) -> None:
    async def stuck(exchange: Exchange) -> None:
        await asyncio.Event().wait()

    async def client(site: Site, address: Any) -> None:
        asking = asyncio.ensure_future(ask(address, GET))
        await asyncio.sleep(0.03)
        await site.stop(0.1)
        with pytest.raises(ConnectionError):
            await asking

    serving(provider, stuck, client)


# TLS


@pytest.fixture(scope="module")
def certified(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("tls")
    chain, root = folder / "chain.pem", folder / "root.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(chain))
    authority.cert_pem.write_to_path(str(root))
    return str(chain), str(root)


def test_tls_with_alpn(provider: type[AsyncioTransport], certified: tuple[str, str]) -> None:
    chain, root = certified
    seen: list[tuple[str, str | None]] = []

    async def note(exchange: Exchange) -> None:
        seen.append((exchange.stream.scheme, exchange.stream.alpn))
        exchange.send_message(ev.Response(status_code=200, headers=[(b"connection", b"close")]), b"hello")

    async def client(site: Site, address: Any) -> bytes:
        return await ask(address, GET, ssl=client_context(authority=root), server_hostname="localhost")

    binding = Binding(host="127.0.0.1", tls=TLS(server_context(chain)))
    assert serving(provider, note, client, binding).endswith(b"hello")
    assert seen == [("https", "http/1.1")]


def test_tls_may_demand_a_client_certificate(provider: type[AsyncioTransport], certified: tuple[str, str]) -> None:
    chain, root = certified

    async def client(site: Site, address: Any) -> None:
        answer = b""
        with suppress(ssl.SSLError, ConnectionError):
            answer = await ask(address, GET, ssl=client_context(authority=root), server_hostname="localhost")
        assert answer == b""
        with_certificate = client_context(authority=root)
        with_certificate.load_cert_chain(chain)
        reader, writer = await asyncio.open_connection(*address, ssl=with_certificate, server_hostname="localhost")
        writer.write(GET)
        await reader.readuntil(b"hello")
        writer.close()

    binding = Binding(host="127.0.0.1", tls=TLS(server_context(chain, client_authority=root)))
    serving(provider, hello, client, binding)


def test_a_handshake_has_its_time(provider: type[AsyncioTransport], certified: tuple[str, str]) -> None:
    async def client(site: Site, address: Any) -> bytes:
        reader, writer = await asyncio.open_connection(*address)
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert site.service.accepted == 0
        return answer

    binding = Binding(host="127.0.0.1", tls=TLS(server_context(certified[0]), handshake_timeout=0.2))
    assert serving(provider, hello, client, binding) == b""


def test_a_bad_certificate_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("nothing")
    with pytest.raises(ssl.SSLError):
        server_context(str(tmp_path / "bad.pem"))


# Connecting


async def fetch(transport: Any, address: Any, tls: TLS | None = None) -> bytes:
    """A client on the same driver."""
    drivers: list[Driver] = []

    def opened(stream: Stream) -> None:
        drivers.append(Driver(stream, HttpConnection(Role.CLIENT)))

    stream = await transport.connect(address, opened, tls=tls)
    exchange = drivers[0].open(ev.Request(method=b"GET", target=b"/", headers=[(b"host", b"x")]), b"")
    response = await exchange.receive()
    assert isinstance(response, ev.Response)
    content = b""
    while isinstance(event := await exchange.receive(), ev.Data):
        content += event.data
    exchange.close()
    stream.close()
    await asyncio.sleep(0.01)
    return content


def test_a_client_over_tcp_unix_and_tls(
    provider: type[AsyncioTransport], certified: tuple[str, str], tmp_path: Path
) -> None:
    chain, root = certified

    async def client(site: Site, address: Any) -> list[bytes]:
        unix = await site.listen(Binding(path=str(tmp_path / "s")))
        secured = await site.listen(Binding(host="127.0.0.1", tls=TLS(server_context(chain))))
        tls = TLS(client_context(authority=root), server_hostname="localhost")
        return [
            await fetch(site.transport, address),
            await fetch(site.transport, unix),
            await fetch(site.transport, secured, tls),
        ]

    assert serving(provider, hello, client) == [b"hello"] * 3


def test_what_cannot_be_reached_is_one_error(
    provider: type[AsyncioTransport], certified: tuple[str, str], tmp_path: Path
) -> None:
    async def client(site: Site, address: Any) -> None:
        secured = await site.listen(Binding(host="127.0.0.1", tls=TLS(server_context(certified[0]))))
        site.listeners[0].close()
        await asyncio.sleep(0.01)
        for place, tls in (
            (address, None),
            (str(tmp_path / "nowhere"), None),
            (secured, TLS(client_context(), server_hostname="localhost")),
            (secured, TLS(client_context())),
        ):
            with pytest.raises(ConnectFailed):
                await fetch(site.transport, place, tls)

    serving(provider, hello, client)


# The rest


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


def test_signals_are_watched_only_when_asked(provider: type[AsyncioTransport]) -> None:
    async def main(transport: Any) -> None:
        before = signal.getsignal(signal.SIGUSR1)
        heard = asyncio.Event()
        transport.watch_signal(signal.SIGUSR1, heard.set)
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.wait_for(heard.wait(), 5)
        transport.watch_signal(signal.SIGUSR1, None)
        assert signal.getsignal(signal.SIGUSR1) == before

    provider.run(main)


def test_a_waiter_carries_an_error_and_wakes_once(provider: type[AsyncioTransport]) -> None:
    async def main(transport: Any) -> None:
        waiter = transport.waiter()
        waiter.wake(KeyError("why"))
        waiter.wake()
        with pytest.raises(KeyError):
            await waiter
        waiter = transport.waiter()
        waiter.wake()
        await waiter

    provider.run(main)


def test_running_returns_what_main_returns(provider: type[AsyncioTransport]) -> None:
    async def main(transport: Any) -> str:
        assert provider.unavailable() is None
        return str(transport.name)

    assert provider.run(main) == provider.name
