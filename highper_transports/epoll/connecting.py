"""Reaching a peer: by name over whichever address answers first, or by path.

Source: RFC 8305 (Happy Eyeballs): addresses of both families take turns, and the next is tried when one has failed or
has not answered in a while.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from itertools import chain, zip_longest
from typing import Any

__all__ = ["reach"]

DELAY = 0.25  # seconds until the next address is tried as well: RFC 8305 section 5
CROWDED = 0.05  # seconds between two attempts at a Unix socket whose queue is full
ATTEMPTS = 100

Place = tuple[int, Any]  # family and address of a socket


async def reach(loop: asyncio.AbstractEventLoop, address: Any) -> socket.socket:
    """Return a connected, non-blocking socket for (host, port) or a path.

    Raises:
        OSError: nobody could be reached.
    """
    if isinstance(address, str):
        return await _reach_path(address)
    host, port = address
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    places = _in_turns((item[0], item[4]) for item in found)
    return await (_attempt(loop, places[0]) if len(places) == 1 else _race(loop, places))


def _in_turns(places: Iterable[Place]) -> list[Place]:
    """Return the places with families taking turns, the resolver's favourite first."""
    families: dict[int, list[Place]] = {}
    for place in dict.fromkeys(places):
        families.setdefault(place[0], []).append(place)
    return [place for place in chain.from_iterable(zip_longest(*families.values())) if place is not None]


async def _race(loop: asyncio.AbstractEventLoop, places: list[Place]) -> socket.socket:
    """Return the first socket that connects; the others are closed."""
    waiting = iter(places)
    attempts: set[asyncio.Task[socket.socket]] = set()
    failure: BaseException = OSError("the name has no address")
    place = next(waiting, None)
    try:
        while place is not None or attempts:
            if place is not None:
                attempts.add(loop.create_task(_attempt(loop, place)))
                place = next(waiting, None)
            done, _ = await asyncio.wait(
                attempts, timeout=None if place is None else DELAY, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                attempts.discard(task)
                error = task.exception()
                if error is None:
                    attempts |= done - {task}
                    return task.result()
                failure = error
        raise failure
    finally:
        for task in attempts:
            task.add_done_callback(_close)
            task.cancel()


def _close(task: asyncio.Task[socket.socket]) -> None:
    """Close the socket of an attempt that came too late."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()


async def _attempt(loop: asyncio.AbstractEventLoop, place: Place) -> socket.socket:
    family, address = place
    found = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(found, address)
    except BaseException:
        found.close()
        raise
    return found


async def _reach_path(path: str) -> socket.socket:
    """Connect to a Unix socket, which is done at once or never; a full queue is asked again."""
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        for _ in range(ATTEMPTS):
            try:
                found.connect(path)
            except BlockingIOError:
                await asyncio.sleep(CROWDED)
            else:
                return found
        raise TimeoutError("the listener takes nobody")
    except BaseException:
        found.close()
        raise
