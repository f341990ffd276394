"""Pretended streams, their weather and their addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from transports.memory_log import Log, pair, run

from highper_transports.errors import BindingInvalid, ConnectFailed, StreamBroken
from highper_transports.memory import Faults, MemoryStream, MemoryTransport
from highper_transports.sockets import Binding
from highper_transports.tls import TLS


class TestStreams:
    """Streams behave as a system's do."""

    def test_bytes_take_their_time_and_keep_their_order(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            peer, log = await pair(transport)
            sent = transport.now()
            peer.send(b"a")
            peer.send(b"b")
            assert log.notes == []
            await asyncio.sleep(1)
            assert log.notes == [(sent + 0.25, b"ab")]

        run(main, latency=0.25)

    def test_a_reader_that_pauses_is_felt_by_the_writer(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            peer, log = await pair(transport)
            peer.stream.pause_reading()
            log.stream.limit_writes(50, 10)
            log.stream.write([b"x" * 100, b"y" * 60])
            assert log.told == ["paused"]
            assert log.stream.unwritten == 60
            peer.stream.resume_reading()
            peer.stream.resume_reading()
            assert log.told == ["paused"]
            assert await peer.receive_exactly(160) == b"x" * 100 + b"y" * 60
            assert log.told == ["paused", "resumed"]
            assert log.stream.unwritten == 0

        run(main, capacity=100)

    def test_half_close_leaves_the_other_direction(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            peer, log = await pair(transport)
            peer.send(b"last")
            peer.half_close()
            peer.send(b"too late")
            await asyncio.sleep(0.1)
            assert log.told == [b"last", "ended"]
            log.stream.write(b"answer")
            log.stream.close()
            assert await peer.receive_all() == b"answer"
            peer.close()
            await asyncio.sleep(0.1)
            assert log.told == [b"last", "ended", "lost"]
            assert peer.is_gone

        run(main)

    def test_close_writes_what_is_queued(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            peer, log = await pair(transport)
            log.stream.write(b"z" * 1000)
            log.stream.close()
            log.stream.close()
            log.stream.write(b"never")
            assert log.told == []
            assert await peer.receive_all() == b"z" * 1000
            await asyncio.sleep(0.1)
            assert log.told == ["lost"]

        run(main, capacity=10)

    def test_closing_with_bytes_unread_is_a_reset(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            peer, log = await pair(transport)
            log.stream.pause_reading()
            peer.send(b"unread")
            await asyncio.sleep(0.1)
            log.stream.write(b"answer")
            log.stream.close()
            with pytest.raises(StreamBroken):
                await peer.receive_all()

        run(main)

    def test_writing_to_the_closed_is_a_reset(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            peer, log = await pair(transport)
            peer.close()
            await asyncio.sleep(1)
            log.stream.write(b"to nobody")
            await asyncio.sleep(1)
            assert log.told == ["ended", ConnectionResetError]
            log.stream.abort()
            log.stream.close()
            await asyncio.sleep(1)
            assert log.told == ["ended", ConnectionResetError]

        run(main, latency=0.1)

    def test_abort_is_seen_as_reset(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            peer, log = await pair(transport)
            peer.send(b"lost on the way")
            peer.reset()
            await asyncio.sleep(1)
            assert log.told == [ConnectionResetError]
            assert (peer.is_gone, peer.error) == (True, None)

        run(main, latency=0.1)

    def test_a_receiver_that_raises_loses_its_stream(self) -> None:
        class Clumsy(Log):
            def received(self, data: bytes, now: float) -> None:
                raise ZeroDivisionError

        async def main(transport: MemoryTransport) -> None:
            reported: list[Any] = []
            transport.loop.set_exception_handler(lambda loop, what: reported.append(type(what["exception"])))
            made: list[Clumsy] = []
            listener = await transport.listen(Binding(path="/s"), lambda stream: made.append(Clumsy(stream)))
            peer = await transport.dial("/s")
            peer.send(b"x")
            with pytest.raises(StreamBroken):
                await peer.receive()
            assert made[0].told == [ZeroDivisionError]
            assert reported == [ZeroDivisionError]
            listener.close()

        run(main)


class TestWeather:
    """What a seed breaks, it breaks again."""

    @pytest.mark.parametrize("seed", range(20))
    def test_cut_bytes_arrive_whole_and_repeat(self, seed: int) -> None:
        sent = bytes(range(256))

        async def main(transport: MemoryTransport) -> list[tuple[float, object]]:
            peer, log = await pair(transport)
            peer.send(sent[:100])
            peer.send(sent[100:])
            peer.half_close()
            await asyncio.sleep(100)
            assert log.told.pop() == "ended"
            assert b"".join(piece for piece in log.told if isinstance(piece, bytes)) == sent
            return log.notes

        def weather() -> Callable[[], Faults]:
            random = Random(seed)
            return lambda: Faults(random, split=0.7, delay=0.1)

        assert run(main, faults=weather()) == run(main, faults=weather())

    def test_a_stall_holds_the_next_delivery_once(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            peer, log = await pair(transport)
            assert isinstance(peer.stream, MemoryStream)
            faults = peer.stream.outgoing.faults = Faults(Random(0), stall=20)
            peer.send(b"a")
            await asyncio.sleep(30)
            peer.send(b"b")
            await asyncio.sleep(30)
            assert log.notes == [(1020, b"a"), (1030, b"b")]
            assert faults.met == {"stall": 1}

        run(main)

    @pytest.mark.parametrize(
        ("plan", "end"), [({"reset_at": 3}, ConnectionResetError), ({"half_close_at": 3}, "ended")]
    )
    def test_a_direction_ends_at_any_byte(self, plan: dict[str, Any], end: object) -> None:
        async def main(transport: MemoryTransport) -> None:
            peer, log = await pair(transport)
            assert isinstance(peer.stream, MemoryStream)
            peer.stream.outgoing.faults = Faults(Random(0), **plan)
            peer.send(b"abcdef")
            await asyncio.sleep(1)
            assert log.told == [b"abc", end]
            peer.send(b"ghi")
            await asyncio.sleep(1)
            assert log.told == [b"abc", end]

        run(main)


class TestAddresses:
    """Addresses are names in one network."""

    def test_ports_are_given_and_freed(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            first = await transport.listen(Binding(host="a"), Log)
            second = await transport.listen(Binding(host="a"), Log)
            assert first.address != second.address
            with pytest.raises(BindingInvalid):
                await transport.listen(Binding(host="a", port=first.address[1]), Log)
            with pytest.raises(BindingInvalid):
                await transport.listen(Binding(fd=3), Log)
            first.close()
            first.close()
            with pytest.raises(ConnectFailed):
                await transport.dial(first.address)
            await transport.listen(Binding(host="a", port=first.address[1]), Log)

        run(main)

    def test_tls_is_pretended_by_both_or_refused(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            secret: Any = TLS(context=None)  # type: ignore[arg-type]
            listener = await transport.listen(Binding(host="a", tls=secret), Log)
            with pytest.raises(ConnectFailed):
                await transport.dial(listener.address)
            peer = await transport.dial(listener.address, tls=secret)
            assert (peer.stream.scheme, peer.stream.alpn) == ("https", "http/1.1")

        run(main)

    def test_a_peer_reads_by_mark_and_by_length(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            peer, log = await pair(transport)
            log.stream.write(b"head\r\n\r\nbodyrest")
            assert await peer.receive_until(b"\r\n\r\n") == b"head\r\n\r\n"
            assert await peer.receive_exactly(4) == b"body"
            assert peer.receive_nowait() == b"rest"
            log.stream.close()
            with pytest.raises(StreamBroken):
                await peer.receive_exactly(1)
            with pytest.raises(StreamBroken):
                await peer.receive_until(b"x")
            peer.expired(0.0)

        run(main)


def test_a_transport_takes_no_place_for_sockets_that_it_has_not() -> None:
    """What is received into is made with the first stream of a loop that is read from."""

    async def main(transport: MemoryTransport) -> None:
        listener = await transport.listen(Binding(host="far.example"), lambda stream: None)
        await transport.connect(listener.address, lambda stream: None)
        assert transport.scratch is None
        listener.close()

    MemoryTransport.run(main)
