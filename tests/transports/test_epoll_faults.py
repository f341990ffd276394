"""Streams of the epoll provider whose system calls fail: nothing is lost or spins, and only whom it concerns ends."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from math import inf
from random import Random
from typing import Any

import pytest
from transports.faulty_kernel import MANY_TURNS, Script, Shaky, pair, play, provider, until
from zope.interface import implementer

from highper_transports.epoll._stream import adopt
from highper_transports.interfaces import IStreamOwner
from highper_transports.sockets import Binding
from highper_transports.stream import Receiver, Stream
from highper_transports.testing import PROMISES, Promise, Recorder, check_promise


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.name)
def test_every_promise_holds_on_a_shaky_kernel(promise: Promise, seed: int) -> None:
    """Interruptions, calls that would block after all, short reads and short writes change no promise."""
    check_promise(provider(Shaky(seed)), promise)


def test_a_stream_whose_interest_cannot_be_changed_is_lost() -> None:
    """An error of epoll_ctl ends the stream with it."""

    async def main(transport: Any, script: Script) -> None:
        peer, far = await pair(transport)
        script.plan["change"] = [-errno.ENOMEM]
        script.plan["send"] = [-errno.EAGAIN]
        far[0].stream.write(b"x")
        await until(lambda: "lost" in far[0].calls)
        assert isinstance(far[0].error, OSError)
        assert far[0].error.errno == errno.ENOMEM
        peer.close()

    assert play(main) == []


@pytest.mark.parametrize("error", [errno.ECONNRESET, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENOMEM])
def test_an_error_of_reading_is_the_reason_of_the_end(error: int) -> None:
    """`lost` tells what recv said, once."""

    async def main(transport: Any, script: Script) -> None:
        peer, far = await pair(transport)
        script.plan["recv"] = [-error]
        peer.sendall(b"x")
        await until(lambda: "lost" in far[0].calls)
        assert far[0].calls == ["lost"]
        assert isinstance(far[0].error, OSError)
        assert far[0].error.errno == error
        assert transport.poller.records.open == 0
        peer.close()

    assert play(main) == []


@pytest.mark.parametrize("error", [errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT])
@pytest.mark.parametrize("call", ["send", "sendmsg"])
def test_an_error_of_writing_is_told_later(call: str, error: int) -> None:
    """`write` does not raise and tells nothing before it returns."""

    async def main(transport: Any, script: Script) -> None:
        peer, far = await pair(transport)
        script.plan[call] = [-error]
        far[0].stream.write(b"x" if call == "send" else [b"x", b"y"])
        assert far[0].calls == []
        assert far[0].stream.unwritten == 0
        await until(lambda: far[0].calls == ["lost"])
        assert isinstance(far[0].error, OSError)
        assert far[0].error.errno == error
        peer.close()

    assert play(main) == []


@pytest.mark.parametrize("error", [errno.ENOBUFS, errno.ENOMEM])
@pytest.mark.parametrize("call", ["send", "sendmsg"])
def test_a_system_short_of_memory_is_asked_again(call: str, error: int) -> None:
    """What could not be sent for lack of memory arrives, and meanwhile nothing spins."""

    async def main(transport: Any, script: Script) -> None:
        peer, far = await pair(transport)
        script.always[call] = script.always["sendmsg"] = -error
        far[0].stream.write(b"xy" if call == "send" else [b"x", b"y"])
        turns = script.calls["wait"]
        for _ in range(10):
            await asyncio.sleep(0.001)
        assert script.calls["wait"] - turns < MANY_TURNS
        script.always.clear()
        await until(lambda: not far[0].stream.unwritten)
        assert peer.recv(10) == b"xy"
        far[0].stream.close()
        peer.close()

    assert play(main) == []


def test_a_half_close_that_fails_is_the_end() -> None:
    """Where shutdown says that the peer is gone, the stream is lost."""

    async def main(transport: Any, script: Script) -> None:
        peer, far = await pair(transport)
        script.plan["shutdown"] = [-errno.ENOTCONN]
        far[0].stream.write_eof()
        await until(lambda: far[0].calls == ["lost"])
        assert isinstance(far[0].error, OSError)
        peer.close()

    assert play(main) == []


def test_an_error_of_closing_changes_nothing() -> None:
    """The descriptor is gone all the same, and the end is our own."""

    async def main(transport: Any, script: Script) -> None:
        peer, far = await pair(transport)
        script.plan["close"] = [-errno.EIO]
        far[0].stream.close()
        await until(lambda: far[0].calls == ["lost"])
        assert far[0].error is None
        assert peer.recv(1) == b""
        peer.close()

    assert play(main) == []


@pytest.mark.parametrize("reset", [False, True], ids=["hang-up", "reset"])
def test_a_peer_that_leaves_a_paused_reader_makes_nothing_spin(reset: bool) -> None:
    """A hang-up that nobody may read yet is waited with quietly; a reset is told."""

    async def main(transport: Any, script: Script) -> None:
        peer, far = await pair(transport)
        stream = far[0].stream
        stream.pause_reading()
        peer.sendall(b"held")
        if reset:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        else:
            stream.write_eof()
            assert peer.recv(1) == b""
        peer.close()
        for _ in range(5):
            await asyncio.sleep(0.001)
        turns = script.calls["wait"]
        for _ in range(10):
            await asyncio.sleep(0.001)
        assert script.calls["wait"] - turns < MANY_TURNS
        if reset:
            assert far[0].calls == ["lost"]
            assert isinstance(far[0].error, ConnectionResetError)
        else:
            assert far[0].calls == []
            stream.resume_reading()
            await until(lambda: far[0].calls == ["received", "ended"])
            assert far[0].data == b"held"
            stream.close()

    assert play(main) == []


@implementer(IStreamOwner)
class Owner:
    """Keeps account of streams at rest."""

    def __init__(self) -> None:
        self.made: list[Recorder] = []
        self.ended = 0

    def wake(self, stream: Stream) -> Receiver:
        self.made.append(Recorder(stream))
        return self.made[-1]

    def lost(self, stream: Stream) -> None:
        self.ended += 1

    def lost_at_rest(self, count: int) -> None:
        self.ended += count


def test_an_event_of_a_descriptor_that_was_used_again_reaches_nobody() -> None:
    """Closed and opened anew while events of one batch are served: the event of its first life is not its second's."""

    async def main(transport: Any, script: Script) -> None:
        owner = Owner()

        def lay(stream: Stream) -> None:
            stream.owner = owner
            stream.rest(inf)

        rested, _ = await pair(transport, lay)
        descriptor = transport.poller.resting(owner)[0]
        second: list[Recorder] = []
        ends = socket.socketpair()

        def reuse(recorder: Recorder) -> None:
            if second:
                return
            transport.rest.close(owner)
            again = os.dup(ends[0].fileno())  # the lowest free descriptor, which was just closed
            assert again == descriptor
            os.set_blocking(again, False)
            second.append(Recorder(adopt(transport.poller, transport, again)))
            script.used.clear()

        peer, far = await pair(transport)
        far[0].answer = reuse

        def act() -> None:  # both are ready when the loop looks next, the one that closes the other first
            peer.sendall(b"now")
            rested.sendall(b"too late")

        transport.call_soon(act)
        await until(lambda: second)
        await asyncio.sleep(0.01)
        assert ("recv", descriptor) not in script.used
        assert second[0].calls == []
        assert owner.made == []
        assert owner.ended == 1
        ends[1].sendall(b"mine")
        await until(lambda: second[0].data == b"mine")
        second[0].stream.abort()
        far[0].answer = None
        far[0].stream.abort()
        for item in (*ends, peer, rested):
            item.close()
        await asyncio.sleep(0.01)

    assert play(main) == []


def test_a_storm_of_resets_leaves_nothing_behind() -> None:
    """Peers that reset before, while and after they are served, at rest and awake: each end is told once."""

    async def main(transport: Any, script: Script) -> None:
        owner = Owner()
        random = Random(1)
        count = 0

        def lay(stream: Stream) -> None:
            nonlocal count
            count += 1
            stream.owner = owner
            stream.rest(inf)

        listener = await transport.listen(Binding(host="127.0.0.1"), lay)
        for _ in range(10):
            peers = [socket.create_connection(listener.address) for _ in range(20)]
            if random.random() < 0.7:
                await asyncio.sleep(0.001)
            for peer in peers:
                if random.random() < 0.6:
                    peer.send(b"x" * random.choice((1, 100_000)))
                if random.random() < 0.8:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            if random.random() < 0.7:
                await asyncio.sleep(0.001)
            for recorder in owner.made:
                recorder.stream.write(b"y" * 200_000)
                if "ended" in recorder.calls:
                    recorder.stream.close()
            for peer in peers:
                peer.close()
        await until(lambda: count > 100)
        for recorder in owner.made:
            recorder.stream.close()
        await asyncio.sleep(0.05)
        for recorder in owner.made:
            recorder.stream.abort()
        await until(lambda: owner.ended == count)
        listener.close()
        assert transport.poller.records.open == 0
        assert all(recorder.calls.count("lost") == 1 for recorder in owner.made)

    assert play(main) == []
