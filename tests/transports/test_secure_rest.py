"""TLS over sockets of our own: streams that rest are no objects, and wake or end as others do."""

from __future__ import annotations

import asyncio
import gc
import math
import socket
from collections.abc import Callable

import pytest
from support.tls_peer import secured
from transports.secure_site import Site, needs_epoll, play, secured_objects

__all__ = ["play", "secured"]

pytestmark = needs_epoll


def test_a_secured_stream_at_rest_is_no_object(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peers = [await site.peer() for _ in range(5)]
        for _ in range(2):
            site.made.clear()
            for peer in peers:
                await peer.write(b"question")
            await site.until(lambda: len(site.made) == 5 and all(made.data for made in site.made))
            for made in site.made:
                made.stream.write(b"answer")
                made.stream.rest(math.inf)
            assert [await peer.read_exactly(6) for peer in peers] == [b"answer"] * 5
        site.made.clear()
        del made
        gc.collect()
        assert site.transport.poller.statistics()["resting"] == 5
        assert [type(item).__name__ for item in secured_objects()] == ["Session"] * 5
        for peer in peers:
            peer.close()

    play(scene)


def test_half_a_record_wakes_nobody(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        sealed = peer.sealed(b"question")
        await peer.send(sealed[:-1])
        await asyncio.sleep(0.02)
        assert site.calls == ["opened"]
        await peer.send(sealed[-1:])
        await site.until(lambda: bool(site.made) and site.made[0].data == b"question")
        peer.close()

    play(scene)


@pytest.mark.parametrize("end", ["farewell", "shutdown", "reset"])
def test_who_leaves_at_rest_wakes_nobody(play: Callable[..., None], end: str) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        if end == "farewell":
            await peer.send(peer.farewell())
            assert await peer.read() == b""
        elif end == "shutdown":
            peer.wire.shutdown(socket.SHUT_WR)
        else:
            peer.wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            peer.close()
        await site.until(lambda: site.calls == ["opened", "lost at rest"])
        assert site.open == 0
        peer.close()

    play(scene)


def test_a_rest_that_ends_says_farewell(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        assert await peer.read() == b""
        assert site.calls == ["opened", "lost at rest"]
        peer.close()

    play(scene, deadline=0.2)


def test_those_at_rest_are_told_farewell_when_they_are_closed(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        site.transport.rest.close(site)
        assert await peer.read() == b""
        await site.until(lambda: site.calls == ["opened", "lost at rest"])
        peer.close()

    play(scene)


def test_nothing_of_a_stream_that_is_gone_is_left(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        for number in range(30):
            peer = await site.peer()
            if number % 3:
                await peer.write(b"question")
                await site.until(lambda: bool(site.made))
                site.made.pop().stream.rest(math.inf)
            if number % 2:
                await peer.send(peer.farewell())
            peer.close()
        await site.until(lambda: site.open == 0)
        gc.collect()
        assert secured_objects() == []

    play(scene)
