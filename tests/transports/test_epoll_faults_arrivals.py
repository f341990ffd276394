"""Listening and connecting over epoll when system calls fail: it waits and tries again, and says what it gave up."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import tempfile
from typing import Any

import pytest
from transports.faulty_kernel import MANY_TURNS, Script, pair, play, until

from highper_transports.errors import ConnectFailed
from highper_transports.sockets import Binding
from highper_transports.testing import Recorder

SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@pytest.mark.parametrize("error", SCARCE)
def test_a_listener_without_descriptors_waits_for_one(error: int) -> None:
    """Accepting pauses instead of spinning, and goes on at once when one of ours is closed."""

    async def main(transport: Any, script: Script) -> None:
        far: list[Recorder] = []
        listener = await transport.listen(Binding(host="127.0.0.1"), lambda stream: far.append(Recorder(stream)))
        first = socket.create_connection(listener.address)
        await until(lambda: len(far) == 1)
        script.always["accept"] = -error
        script.calls.clear()
        second = socket.create_connection(listener.address)
        await until(lambda: script.calls["accept"])
        turns, accepts = script.calls["wait"], script.calls["accept"]
        for _ in range(10):
            await asyncio.sleep(0.001)
        assert script.calls["wait"] - turns < MANY_TURNS
        assert script.calls["accept"] == accepts
        del script.always["accept"]
        far[0].stream.close()
        await until(lambda: len(far) == 2)
        for peer in (first, second):
            peer.close()
        listener.close()
        await until(lambda: all("ended" in recorder.calls or "lost" in recorder.calls for recorder in far))

    assert play(main) == []


def test_a_listener_tries_again_after_a_while() -> None:
    """Where none of ours is closed, a second is enough."""

    async def main(transport: Any, script: Script) -> None:
        far: list[Recorder] = []
        listener = await transport.listen(Binding(host="127.0.0.1"), lambda stream: far.append(Recorder(stream)))
        script.plan["accept"] = [-errno.EMFILE]
        with socket.create_connection(listener.address):
            await until(lambda: far)
        assert script.calls["accept"] >= 2
        listener.close()

    assert play(main) == []


def test_a_starved_listener_can_be_paused_and_closed() -> None:
    """Recovering from a shortage neither resumes a paused listener nor revives a closed one."""

    async def main(transport: Any, script: Script) -> None:
        far: list[Recorder] = []
        listeners = [
            await transport.listen(Binding(host="127.0.0.1"), lambda stream: far.append(Recorder(stream)))
            for _ in range(2)
        ]
        script.always["accept"] = -errno.EMFILE
        peers = [socket.create_connection(listener.address) for listener in listeners]
        await until(lambda: script.calls["accept"] >= 2)
        listeners[0].pause()
        listeners[1].close()
        del script.always["accept"]
        near = await transport.connect(listeners[0].address, Recorder)
        near.close()
        await until(lambda: near.receiver is None)
        await asyncio.sleep(0.01)
        assert not far
        listeners[0].resume()
        await until(lambda: far)
        listeners[0].close()
        for peer in peers:
            peer.close()

    assert play(main) == []


@pytest.mark.parametrize("error", [errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.ENETDOWN, errno.EINTR])
def test_one_failed_connection_is_skipped(error: int) -> None:
    """What accept4 says of one connection concerns nobody else."""

    async def main(transport: Any, script: Script) -> None:
        script.plan["accept"] = [-error, -error]
        peer, far = await pair(transport)
        peer.sendall(b"x")
        await until(lambda: far[0].data == b"x")
        peer.close()

    assert play(main) == []


def test_a_listener_that_is_none_any_more_is_given_up_and_told() -> None:
    """An error that would come for ever is told once, and not asked for again."""

    async def main(transport: Any, script: Script) -> None:
        listener = await transport.listen(Binding(host="127.0.0.1"), Recorder)
        script.always["accept"] = -errno.EINVAL
        with socket.create_connection(listener.address):
            await until(lambda: script.calls["accept"])
            for _ in range(10):
                await asyncio.sleep(0.001)
        assert script.calls["accept"] == 1
        listener.close()

    [context] = play(main)
    assert context["exception"].errno == errno.EINVAL


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.ENOMEM, errno.EPERM])
def test_a_set_without_room_costs_the_connection_alone(error: int) -> None:
    """A socket that cannot be watched is closed; later ones are served."""

    async def main(transport: Any, script: Script) -> None:
        far: list[Recorder] = []
        listener = await transport.listen(Binding(host="127.0.0.1"), lambda stream: far.append(Recorder(stream)))
        script.plan["watch"] = [-error]
        with socket.create_connection(listener.address) as peer:
            await until(lambda: script.calls["accept"])
            peer.settimeout(10)
            assert await asyncio.to_thread(peer.recv, 1) == b""
        assert not far
        assert transport.poller.records.open == 0
        with socket.create_connection(listener.address):
            await until(lambda: far)
        listener.close()

    assert play(main) == []


def test_connecting_fails_where_the_set_has_no_room() -> None:
    """`connect` says so, and leaves no descriptor behind."""

    async def main(transport: Any, script: Script) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s")
            listener = await transport.listen(Binding(path=path), Recorder)
            listener.pause()
            script.plan["watch"] = [-errno.ENOSPC]
            with pytest.raises(ConnectFailed):
                await transport.connect(path, Recorder)
            assert transport.poller.records.open == 0
            listener.close()

    assert play(main) == []
