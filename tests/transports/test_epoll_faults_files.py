"""What the epoll provider does when a file, or a peer that it is sent to, fails."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import socket
import tempfile
from typing import Any

import pytest
from transports.faulty_kernel import Script, pair, play, until

from highper_transports.errors import StreamBroken


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOSYS])
def test_a_file_that_sendfile_refuses_is_copied(error: int) -> None:
    """Where the system call does not take the file, its bytes go the long way."""

    async def main(transport: Any, script: Script) -> None:
        peer, far = await pair(transport)
        content = os.urandom(300_000)
        reading = asyncio.create_task(asyncio.to_thread(_all_of, peer, len(content) + 5))
        script.always["sendfile"] = -error
        with tempfile.TemporaryFile() as file:
            file.write(b"12345" + content)
            file.flush()
            await far[0].stream.send_file(file, 5, len(content))
        far[0].stream.write(b"after")
        assert await reading == content + b"after"
        far[0].stream.close()
        peer.close()

    assert play(main) == []


def test_a_file_that_is_none_of_the_systems_is_copied() -> None:
    """A file in memory has no descriptor; its bytes are sent all the same."""

    async def main(transport: Any, script: Script) -> None:
        peer, far = await pair(transport)
        await far[0].stream.send_file(io.BytesIO(b"0123456789"), 2, 5)
        assert peer.recv(10) == b"23456"
        far[0].stream.close()
        peer.close()

    assert play(main) == []


def test_sendfile_may_be_interrupted_and_short() -> None:
    """Interruptions, a shortage and short counts delay a file, and change nothing of it."""

    async def main(transport: Any, script: Script) -> None:
        peer, far = await pair(transport)
        content = os.urandom(200_000)
        reading = asyncio.create_task(asyncio.to_thread(_all_of, peer, len(content)))
        script.plan["sendfile"] = [-errno.EINTR, 1, -errno.EAGAIN, 1000, -errno.ENOBUFS, 70_000]
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.flush()
            await far[0].stream.send_file(file, 0, len(content))
        assert await reading == content
        far[0].stream.close()
        peer.close()

    assert play(main) == []


def test_a_file_that_cannot_be_read_breaks_the_answer() -> None:
    """An error of the file is told to whoever sends it, and so is the end of the stream."""

    async def main(transport: Any, script: Script) -> None:
        peer, far = await pair(transport)
        with tempfile.TemporaryFile() as file:
            file.truncate(1000)
            script.plan["sendfile"] = [-errno.EIO]
            with pytest.raises(StreamBroken):
                await far[0].stream.send_file(file, 0, 1000)
            script.always["sendfile"] = -errno.EAGAIN
            sending = asyncio.create_task(far[0].stream.send_file(file, 0, 1000))
            await asyncio.sleep(0.01)
            far[0].stream.abort()
            with pytest.raises(StreamBroken):
                await sending
        peer.close()

    assert play(main) == []


def test_a_peer_that_takes_nothing_of_a_file_is_given_up() -> None:
    """After the timeout the stream is aborted."""

    async def main(transport: Any, script: Script) -> None:
        peer, far = await pair(transport)
        with tempfile.TemporaryFile() as file:
            file.truncate(50_000_000)
            with pytest.raises(StreamBroken, match="takes nothing"):
                await far[0].stream.send_file(file, 0, 50_000_000, 0.1)
        await until(lambda: "lost" in far[0].calls)
        peer.close()

    assert play(main) == []


def _all_of(peer: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = peer.recv(65536)
        if not piece:
            break
        data += piece
    return bytes(data)
