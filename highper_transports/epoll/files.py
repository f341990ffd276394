"""Sending a part of a file over a stream: by sendfile(2), or by copying where the file is none that it takes."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import StreamBroken

if TYPE_CHECKING:
    from ._stream import EpollStream

__all__ = ["send_file"]

PIECE = 64 * 1024  # bytes a peer takes within the timeout, at the least
MOST = 512 * 1024  # bytes of one system call, after which others have their turn
RETRY = 0.05  # seconds until a system that was short of memory is asked again
NOT_NOW = (errno.EAGAIN, errno.EINTR)
SHORT = (errno.ENOBUFS, errno.ENOMEM)
REFUSED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF, errno.ESPIPE, errno.EOVERFLOW)


async def send_file(stream: EpollStream, file: BinaryIO, offset: int, length: int, timeout: float) -> None:
    """Send `length` bytes of `file` from `offset`; see `IStream.send_file`."""
    end = offset + length
    try:
        while offset < end:
            async with asyncio.timeout(timeout):
                offset = await _send_piece(stream, file, offset, min(PIECE, end - offset), end)
    except TimeoutError as error:
        stream.abort()
        raise StreamBroken("the peer takes nothing of a file") from error
    except OSError as error:
        raise StreamBroken("the stream or its file ended inside the file") from error


async def _send_piece(stream: EpollStream, file: BinaryIO, offset: int, least: int, end: int) -> int:
    """Send at least `least` bytes; return the offset behind what was sent."""
    goal = offset + least
    while offset < goal:
        await _writable(stream)
        sent = stream.send_from(_descriptor(file), offset, min(MOST, end - offset))
        if -sent in NOT_NOW:
            continue
        if -sent in SHORT:
            await asyncio.sleep(RETRY)
            continue
        if -sent in REFUSED:
            sent = await _copy(stream, file, offset, min(PIECE, end - offset))
        if sent < 0:
            raise OSError(-sent, "sendfile")
        if not sent:
            raise StreamBroken(f"the file ended {end - offset} bytes early")
        offset += sent
    return offset


def _descriptor(file: BinaryIO) -> int:
    try:
        return file.fileno()
    except OSError:  # it is none of the system's
        return -1


async def _copy(stream: EpollStream, file: Any, offset: int, length: int) -> int:
    """Send some bytes that were read in another thread; return how many."""

    def read() -> bytes:
        file.seek(offset)
        data: bytes = file.read(length)
        return data

    data = await asyncio.get_running_loop().run_in_executor(None, read)
    stream.write(data)
    return len(data)


async def _writable(stream: EpollStream) -> None:
    """Wait until nothing is queued and the peer takes more.

    Raises:
        StreamBroken: the stream has ended.
    """
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tell() -> None:
        if not future.done():
            future.set_result(None)

    if stream.when_writable(tell):
        try:
            await future
        except BaseException:
            stream.when_writable(None)
            raise
    if stream.closed:
        raise StreamBroken("the stream ended inside a file")
