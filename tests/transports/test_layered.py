"""TLS over a stream that carried something else before: records however they are cut, farewells, and their lack."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest
from support.providers import start
from support.tls_peer import secured

from highper_transports.errors import ConnectFailed, StreamBroken
from highper_transports.layered import layer
from highper_transports.memory import MemoryTransport, Peer
from highper_transports.sockets import Binding
from highper_transports.stream import Receiver
from highper_transports.tls import TLS

__all__ = ["secured"]


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
