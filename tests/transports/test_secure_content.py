"""TLS over sockets of our own: content however it is cut, pressure, half-closes, and ends without a farewell."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable

import pytest
from support.tls_peer import secured
from transports.secure_site import Site, needs_epoll, play

from highper_transports.intake import Intake
from highper_transports.stream import Receiver

__all__ = ["play", "secured"]

pytestmark = needs_epoll


# Content


def test_content_may_be_cut_anywhere(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        sealed = b"".join(peer.sealed(bytes([number]) * 700) for number in range(20))
        for begin in range(0, len(sealed), 101):
            await peer.send(sealed[begin : begin + 101])
            await asyncio.sleep(0)
        await site.until(lambda: len(b"".join(bytes(made.data) for made in site.made)) == 14_000)
        assert b"".join(bytes(made.data) for made in site.made) == b"".join(bytes([n]) * 700 for n in range(20))
        peer.close()

    play(scene)


def test_a_slow_reader_is_pressure_and_gets_everything(play: Callable[..., None]) -> None:
    content = os.urandom(1 << 20) * 8

    async def scene(site: Site) -> None:
        peer = await site.peer()
        near = site.made[0]
        near.stream.limit_writes(65536, 16384)
        for begin in range(0, len(content), 1 << 20):
            near.stream.write(content[begin : begin + (1 << 20)])
        assert near.calls == ["paused"]
        assert near.stream.unwritten > 65536
        assert await peer.read_exactly(len(content)) == content
        await site.until(lambda: near.calls == ["paused", "resumed"])
        assert near.stream.unwritten == 0
        near.stream.write([b"a", b"", b"b" * 10_000, b"c", b"d" * 3])
        assert await peer.read_exactly(10_005) == b"a" + b"b" * 10_000 + b"cddd"
        peer.close()

    play(scene, receives=True)


def test_large_content_comes_whole(play: Callable[..., None]) -> None:
    content = os.urandom(3_000_000)

    async def scene(site: Site) -> None:
        peer = await site.peer()
        await peer.write(content)
        await site.until(lambda: len(site.made[0].data) == len(content))
        assert site.made[0].data == content
        peer.close()

    play(scene, receives=True)


def test_an_intake_takes_content_and_not_a_byte_more(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        near = site.made[0]
        intake = Intake(100_000)
        near.stream.receive_into(intake)
        near.answer = lambda recorder: recorder.stream.pause_reading() if not intake.missing else None
        await peer.write(b"0123456789" * 10_000 + b"tail")
        await site.until(lambda: intake.missing == 0)
        await asyncio.sleep(0.02)
        assert (near.calls, near.count) == (["filled"], 100_000)
        near.answer = None
        near.stream.resume_reading()
        assert near.calls == ["filled"]
        await site.until(lambda: near.data == b"tail")
        assert intake.take() == b"0123456789" * 10_000
        peer.close()

    play(scene, receives=True)


def test_the_end_waits_for_a_reader_that_pauses_where_it_is_told_the_last_bytes(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        near = site.made[0]
        near.answer = lambda recorder: recorder.stream.pause_reading()
        await peer.send(peer.sealed(b"last") + peer.farewell())
        await site.until(lambda: near.data == b"last")
        await asyncio.sleep(0.02)
        assert near.calls == ["received"]
        near.answer = None
        near.stream.resume_reading()
        await site.until(lambda: near.calls == ["received", "ended"])
        peer.close()

    play(scene, receives=True)


def test_who_fails_on_an_end_that_waited_is_ended(play: Callable[..., None]) -> None:
    """As it is for what is told at once."""
    told: list[str] = []

    class Failing(Receiver):
        def ended(self) -> None:
            raise ValueError("at the end")

        def lost(self, error: BaseException | None) -> None:
            told.append(f"lost: {error}")

    async def scene(site: Site) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(str(context["exception"])))
        peer = await site.peer()
        near = site.made[0]
        near.answer = lambda recorder: recorder.stream.pause_reading()
        await peer.send(peer.sealed(b"last") + peer.farewell())
        await site.until(lambda: near.data == b"last")
        near.stream.receiver = Failing()
        near.stream.resume_reading()
        await site.until(lambda: told == ["at the end", "lost: at the end"])
        peer.close()

    play(scene, receives=True)


# Ends


def test_a_farewell_is_half_a_close(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        near = site.made[0]
        await peer.send(peer.sealed(b"question") + peer.farewell())
        await site.until(lambda: near.calls == ["received", "ended"])
        near.stream.write(b"answer")
        near.stream.close()
        assert await peer.read_exactly(6) == b"answer"
        assert await peer.read() == b""
        await site.until(lambda: near.calls == ["received", "ended", "lost"])
        assert near.error is None
        peer.close()

    play(scene, receives=True)


def test_our_end_leaves_the_other_direction(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        near = site.made[0]
        near.stream.write(b"x" * 200_000)
        near.stream.write_eof()
        near.stream.write(b"too late")
        near.stream.write_eof()
        assert await peer.read_exactly(200_000) == b"x" * 200_000
        assert await peer.read() == b""
        await peer.write(b"still here")
        await site.until(lambda: near.data == b"still here")
        near.stream.close()
        await site.until(lambda: near.calls == ["received", "lost"])
        peer.close()

    play(scene, receives=True)


def test_an_end_without_farewell_is_a_truncation(play: Callable[..., None]) -> None:
    """Anybody on the way can end a socket: it is no end of input, and nothing is written to who may be nobody."""

    async def scene(site: Site) -> None:
        peer = await site.peer()
        near = site.made[0]
        await peer.write(b"half of somethi")
        peer.wire.shutdown(socket.SHUT_WR)
        await site.until(lambda: near.calls == ["received", "lost"])
        assert isinstance(near.error, ConnectionResetError)
        peer.close()

    play(scene, receives=True)


@pytest.mark.parametrize("awake", [False, True])
def test_a_spoiled_record_ends_the_stream(play: Callable[..., None], awake: bool) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        sealed = bytearray(peer.sealed(b"content"))
        sealed[-1] ^= 1
        await peer.send(bytes(sealed))
        if awake:
            near = site.made[0]
            await site.until(lambda: near.calls == ["lost"])
            assert isinstance(near.error, ssl.SSLError)
        else:
            await site.until(lambda: site.calls == ["opened", "lost at rest"])
        with pytest.raises(ssl.SSLError, match=r"(?i)bad.record.mac"):
            await peer.read()
        peer.close()

    play(scene, receives=awake)
