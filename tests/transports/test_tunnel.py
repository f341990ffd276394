"""Streams through a proxy, secured or not, and TLS over a stream that carried something else before."""

from __future__ import annotations

import asyncio
import gc
import ssl
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support.exchanges import Site, content_of, text
from support.providers import EVERY, REAL
from support.takeovers import connect
from support.tls_peer import certificates

from highper_core import Data, EndOfMessage, HttpConnection, Request, Response, Role
from highper_transports.driver import Driver
from highper_transports.errors import ConnectFailed, StreamBroken, TunnelRefused
from highper_transports.exchange import Exchange
from highper_transports.joining import join
from highper_transports.layered import layer
from highper_transports.memory import MemoryTransport, Peer
from highper_transports.sockets import Binding
from highper_transports.stream import Receiver, Stream
from highper_transports.tls import TLS, client_context
from highper_transports.tunnel import Proxy, connect_through

Main = Callable[[Any], Coroutine[Any, Any, None]]


def start(provider: Any, main: Main) -> None:
    async def bounded(transport: Any) -> None:
        async with asyncio.timeout(20):
            await main(transport)

    provider.run(bounded)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> tuple[TLS, TLS]:
    return certificates(tmp_path_factory.mktemp("tls"))


def client() -> HttpConnection:
    return HttpConnection(Role.CLIENT)


async def through(
    transport: Any, proxy: Any, address: Any, *, tls: TLS | None = None, proxy_tls: TLS | None = None
) -> Driver:
    """Return the driver of a connection through `proxy`."""
    made: list[Driver] = []
    headers = ((b"proxy-authorization", b"Basic eDp5"),)
    await connect_through(
        transport,
        Proxy(proxy, proxy_tls, headers),
        address,
        lambda stream: made.append(Driver(stream, client())),
        client,
        tls=tls,
    )
    return made[0]


async def ask(driver: Driver, content: bytes) -> bytes:
    head = Request(method=b"POST", target=b"/", headers=[(b"host", b"far.example")])
    exchange = driver.open(head, content)
    answer = await exchange.receive()
    assert isinstance(answer, Response)
    assert answer.status_code == 200
    received = bytearray()
    while not isinstance(event := await exchange.receive(), EndOfMessage):
        assert isinstance(event, Data)
        received += event.data
    exchange.close()
    return bytes(received)


async def reflect(exchange: Exchange) -> None:
    text(exchange, await content_of(exchange))


@pytest.mark.parametrize("provider", EVERY, ids=lambda provider: provider.name)
def test_what_goes_through_a_tunnel_comes_out(provider: Any) -> None:
    """The proxy is told the peer's name and our credentials, and sees nothing of it again."""
    asked = []

    async def main(transport: Any) -> None:
        async def proxy(exchange: Exchange) -> None:
            asked.append((exchange.request.target, exchange.request.headers.first(b"proxy-authorization")))
            await connect(exchange, transport)

        async with Site(transport, reflect) as far, Site(transport, proxy) as near:
            driver = await through(transport, near, far)
            for content in (b"a", b"b" * 300_000):
                assert await ask(driver, content) == content
            driver.abort()
            assert asked == [(b"%s:%d" % (far[0].encode(), far[1]), b"Basic eDp5")]

    start(provider, main)


@pytest.mark.parametrize("provider", REAL, ids=lambda provider: provider.name)
@pytest.mark.parametrize("proxy_secured", [False, True], ids=["plain-proxy", "secured-proxy"])
def test_tls_is_spoken_inside_a_tunnel(provider: Any, proxy_secured: bool, secured: tuple[TLS, TLS]) -> None:
    """Also inside the TLS of the proxy itself; the certificate is the peer's."""
    server, ours = secured

    async def main(transport: Any) -> None:
        async def proxy(exchange: Exchange) -> None:
            await connect(exchange, transport)

        async with (
            Site(transport, reflect, tls=server) as far,
            Site(transport, proxy, tls=server if proxy_secured else None) as near,
        ):
            driver = await through(transport, near, far, tls=ours, proxy_tls=ours if proxy_secured else None)
            assert driver.stream.scheme == "https"
            assert driver.stream.alpn == "http/1.1"
            for content in (b"a", b"", b"b" * 3_000_000):
                assert await ask(driver, content) == content
            driver.shutdown()

    start(provider, main)


@pytest.mark.parametrize("provider", REAL, ids=lambda provider: provider.name)
def test_a_certificate_that_is_not_the_peers_is_refused(provider: Any, secured: tuple[TLS, TLS]) -> None:
    server, ours = secured
    other = TLS(ours.context, server_hostname="other.example")
    stranger = TLS(client_context(), server_hostname="127.0.0.1")

    async def main(transport: Any) -> None:
        async def proxy(exchange: Exchange) -> None:
            await connect(exchange, transport)

        async with Site(transport, reflect, tls=server) as far, Site(transport, proxy) as near:
            for tls in (other, stranger):
                with pytest.raises(ConnectFailed, match="certificate") as caught:
                    await through(transport, near, far, tls=tls)
                assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)

    start(provider, main)


@pytest.mark.parametrize("provider", EVERY, ids=lambda provider: provider.name)
def test_a_proxy_that_says_no_is_told_from_one_that_is_not_there(provider: Any) -> None:
    async def main(transport: Any) -> None:
        async def proxy(exchange: Exchange) -> None:
            text(exchange, b"who are you?", 407)

        async with Site(transport, proxy) as near:
            with pytest.raises(TunnelRefused) as caught:
                await through(transport, near, ("far.example", 80))
            assert caught.value.status == 407
        with pytest.raises(ConnectFailed) as absent:
            await through(transport, near, ("far.example", 80))
        assert not isinstance(absent.value, TunnelRefused)

    start(provider, main)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"SSH-2.0-proxy\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
    ids=["nothing", "half a head", "a malformed head", "another protocol", "an interim answer"],
)
def test_a_proxy_that_ends_without_an_answer_has_failed(answer: bytes) -> None:
    async def main(transport: MemoryTransport) -> None:
        def opened(stream: Stream) -> None:
            peer = Peer(stream)
            peer.send(answer)
            peer.half_close()

        listener = await transport.listen(Binding(host="proxy.example", port=3128), opened)
        with pytest.raises(ConnectFailed, match="opened no tunnel"):
            await through(transport, listener.address, ("far.example", 80))
        listener.close()

    start(MemoryTransport, main)


def test_bytes_behind_the_proxys_answer_are_no_tunnel(secured: tuple[TLS, TLS]) -> None:
    """Where TLS is to be spoken they come from nobody that was checked."""

    async def main(transport: MemoryTransport) -> None:
        def opened(stream: Stream) -> None:
            Peer(stream).send(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")

        listener = await transport.listen(Binding(host="proxy.example", port=3128), opened)
        with pytest.raises(ConnectFailed, match="does not leave the tunnel to us"):
            await through(transport, listener.address, ("far.example", 443), tls=secured[1])
        listener.close()

    start(MemoryTransport, main)


class Records:
    """The server's side of a session in memory, each record at hand."""

    def __init__(self, peer: Peer, context: ssl.SSLContext) -> None:
        self.peer = peer
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    async def handshake(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.peer.send(self.outgoing.read())
                self.incoming.write(await self.peer.receive())
            else:
                break
        self.peer.send(self.outgoing.read())

    def sealed(self, data: bytes) -> bytes:
        self.tls.write(data)
        return self.outgoing.read()

    def farewell(self) -> bytes:
        with pytest.raises(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self.outgoing.read()

    async def read(self) -> bytes:
        while True:
            try:
                return self.tls.read(65536)
            except ssl.SSLWantReadError:
                self.incoming.write(await self.peer.receive())


async def layered(transport: MemoryTransport, secured: tuple[TLS, TLS]) -> tuple[Peer, Records, Peer]:
    """Return our end above TLS, the records' end beneath, and the other side's raw end."""
    far: list[Peer] = []
    listener = await transport.listen(Binding(host="far.example"), lambda stream: far.append(Peer(stream)))
    beneath = await transport.connect(listener.address, lambda stream: None)
    await asyncio.sleep(0)
    records = Records(far[0], secured[0].context)
    greeting = asyncio.ensure_future(records.handshake())
    ours: list[Peer] = []
    await layer(beneath, secured[1], "127.0.0.1", lambda stream: ours.append(Peer(stream)))
    await greeting
    listener.close()
    return ours[0], records, far[0]


def test_records_may_be_cut_anywhere(secured: tuple[TLS, TLS]) -> None:
    async def main(transport: MemoryTransport) -> None:
        near, records, far = await layered(transport, secured)
        for byte in records.sealed(b"hello") + records.sealed(b" there"):
            far.send(bytes((byte,)))
        assert await near.receive_exactly(11) == b"hello there"
        near.send(b"general")
        assert await records.read() == b"general"
        far.close()

    start(MemoryTransport, main)


def test_a_farewell_ends_the_content_and_its_lack_breaks_the_stream(secured: tuple[TLS, TLS]) -> None:
    async def main(transport: MemoryTransport) -> None:
        near, records, far = await layered(transport, secured)
        far.send(records.sealed(b"all") + records.farewell())
        assert await near.receive_all() == b"all"
        near.send(b"heard")
        assert await records.read() == b"heard"
        near.close()
        with pytest.raises(ssl.SSLZeroReturnError):  # our farewell
            await records.read()
        far.close()

        near, records, far = await layered(transport, secured)
        far.send(records.sealed(b"half"))
        far.half_close()
        assert await near.receive_exactly(4) == b"half"
        with pytest.raises(StreamBroken):
            await near.receive()
        assert near.is_gone

    start(MemoryTransport, main)


def test_a_spoiled_record_breaks_the_stream(secured: tuple[TLS, TLS]) -> None:
    async def main(transport: MemoryTransport) -> None:
        near, records, far = await layered(transport, secured)
        record = bytearray(records.sealed(b"hello"))
        record[-1] ^= 1
        far.send(bytes(record))
        with pytest.raises(StreamBroken):
            await near.receive()
        assert isinstance(near.error, ssl.SSLError)

    start(MemoryTransport, main)


def test_who_writes_behind_a_spoiled_record_is_told_by_the_loss_alone(secured: tuple[TLS, TLS]) -> None:
    """The session takes nothing any more, and the stream is not gone yet."""

    async def main(transport: MemoryTransport) -> None:
        near, records, _ = await layered(transport, secured)
        record = bytearray(records.sealed(b"hello"))
        record[-1] ^= 1
        near.stream.absorb(bytes(record))  # type: ignore[attr-defined]
        near.stream.write(b"late")
        with pytest.raises(StreamBroken):
            await near.receive()
        assert isinstance(near.error, ssl.SSLError)

    start(MemoryTransport, main)


def test_what_comes_behind_a_farewell_is_not_kept(secured: tuple[TLS, TLS]) -> None:
    """Nor what comes while we close."""

    async def main(transport: MemoryTransport) -> None:
        near, records, far = await layered(transport, secured)
        far.send(records.sealed(b"all") + records.farewell())
        assert await near.receive_all() == b"all"
        stream: Any = near.stream
        far.send(bytes(100_000))
        await asyncio.sleep(1)
        assert stream._incoming.pending == 0
        near.close()
        far.close()

        near, records, far = await layered(transport, secured)
        stream = near.stream
        stream.close()
        stream.absorb(records.sealed(b"ignored"))
        assert stream._incoming.pending == 0
        far.close()

    start(MemoryTransport, main)


def test_an_end_beneath_does_not_overtake_the_farewell_before_it(secured: tuple[TLS, TLS]) -> None:
    """Where both come in the pass in which reading goes on."""

    async def main(transport: MemoryTransport) -> None:
        near, records, _ = await layered(transport, secured)
        stream: Any = near.stream
        stream.pause_reading()
        stream.resume_reading()
        stream.absorb(records.sealed(b"all") + records.farewell())
        stream.cut_off()
        assert await near.receive_all() == b"all"
        stream.abort()

    start(MemoryTransport, main)


def test_a_silent_peer_is_given_up_inside_the_handshake(secured: tuple[TLS, TLS]) -> None:
    """After the time that its TLS is given."""

    async def main(transport: MemoryTransport) -> None:
        far: list[Peer] = []
        listener = await transport.listen(Binding(host="far.example"), lambda stream: far.append(Peer(stream)))
        beneath = await transport.connect(listener.address, lambda stream: None)
        began = transport.now()
        with pytest.raises(ConnectFailed, match="handshake"):
            await layer(beneath, TLS(secured[1].context, 3.0), "127.0.0.1", lambda stream: None)
        assert 3.0 <= transport.now() - began < 4.0
        await asyncio.sleep(0.1)
        assert far[0].is_gone
        listener.close()

    start(MemoryTransport, main)


def test_nothing_is_delivered_while_reading_is_paused(secured: tuple[TLS, TLS]) -> None:
    """Not even what was decrypted with the bytes before; it comes when reading goes on."""

    async def main(transport: MemoryTransport) -> None:
        near, records, far = await layered(transport, secured)
        near.stream.pause_reading()
        far.send(records.sealed(b"a" * 40_000) + records.farewell())
        await asyncio.sleep(1)
        assert near.receive_nowait() == b""
        near.stream.resume_reading()
        assert near.receive_nowait() == b""  # never synchronously
        assert await near.receive_all() == b"a" * 40_000
        near.stream.abort()

    start(MemoryTransport, main)


def test_a_receiver_that_raises_at_what_waited_loses_its_stream(secured: tuple[TLS, TLS]) -> None:
    """As one does that raises while records come."""

    class Fragile(Receiver):
        def __init__(self) -> None:
            self.told: list[BaseException | None] = []

        def received(self, data: bytes, now: float) -> None:
            raise ZeroDivisionError

        def lost(self, error: BaseException | None) -> None:
            self.told.append(error)

    async def main(transport: MemoryTransport) -> None:
        near, records, far = await layered(transport, secured)
        logged: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: logged.append(context["exception"]))
        near.stream.pause_reading()
        receiver = near.stream.receiver = Fragile()
        near.stream.absorb(records.sealed(b"all"))  # type: ignore[attr-defined]
        near.stream.resume_reading()
        await asyncio.sleep(1)
        assert [type(error) for error in receiver.told] == [ZeroDivisionError]
        assert [type(error) for error in logged] == [ZeroDivisionError]
        assert far.is_gone

    start(MemoryTransport, main)


def test_a_handshake_that_is_cancelled_leaves_no_stream(secured: tuple[TLS, TLS]) -> None:
    async def main(transport: MemoryTransport) -> None:
        far: list[Peer] = []
        listener = await transport.listen(Binding(host="far.example"), lambda stream: far.append(Peer(stream)))
        beneath = await transport.connect(listener.address, lambda stream: None)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await layer(beneath, secured[1], "127.0.0.1", lambda stream: None)
        await asyncio.sleep(0.1)
        assert far[0].is_gone
        listener.close()

    start(MemoryTransport, main)


@pytest.mark.parametrize("provider", REAL, ids=lambda provider: provider.name)
def test_who_joins_a_loop_shares_its_provider_while_that_is_used(provider: Any) -> None:
    async def main(transport: Any) -> None:
        joined = join(provider.name)
        assert type(joined) is provider
        assert join(provider.name) is joined
        gone = weakref.ref(joined)
        del joined
        gc.collect()
        assert gone() is None
        assert type(join(provider.name)) is provider

    start(provider, main)
