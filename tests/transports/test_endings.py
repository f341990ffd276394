"""Real sockets, over every provider: a peer that goes or lets us wait, rest, and an orderly stop."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
from typing import Any

import pytest
from support.providers import provider
from transports.site import GET, Site, ask, hello, serving

from highper_core import events as ev
from highper_transports.asyncio import AsyncioTransport
from highper_transports.errors import StreamBroken
from highper_transports.exchange import Exchange

__all__ = ["provider"]


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
