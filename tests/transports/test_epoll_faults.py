"""What the epoll provider does when system calls fail: nothing is lost or spins, and only whom it concerns ends."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import socket
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine
from math import inf
from random import Random
from typing import Any

import pytest
from zope.interface import implementer

from highper_transports.epoll import EpollTransport
from highper_transports.epoll._scripted import ScriptedKernel
from highper_transports.epoll._stream import adopt
from highper_transports.epoll.loop import EpollLoop
from highper_transports.errors import ConnectFailed, StreamBroken
from highper_transports.interfaces import IStreamOwner
from highper_transports.sockets import Binding
from highper_transports.stream import Receiver, Stream
from highper_transports.testing import PROMISES, Promise, Recorder, check_promise

SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
MANY_TURNS = 200  # more than a loop that waits makes in a few milliseconds of a few timers


class Script:
    """Decides about faults: a negative number is the error a call ends with, a positive one the most it may do.

    Attributes:
        plan: by call, what its next uses end with; None where one is let be.
        always: by call, what it ends with from then on.
        calls: how often each was asked for.
        used: calls and their descriptors, in order.
    """

    def __init__(self) -> None:
        self.plan: dict[str, list[int | None]] = {}
        self.always: dict[str, int] = {}
        self.calls: Counter[str] = Counter()
        self.used: list[tuple[str, int]] = []

    def call(self, name: str, fd: int, amount: int) -> int:
        self.calls[name] += 1
        self.used.append((name, fd))
        planned = self.plan.get(name)
        verdict = planned.pop(0) if planned else self.always.get(name)
        return amount if verdict is None else min(amount, verdict)

    def accepted(self, fd: int) -> None:
        pass

    def strays(self, kernel: ScriptedKernel) -> list[tuple[int, int, int]]:
        return []


class Shaky(Script):
    """Interrupts, postpones and shortens at random."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = Random(seed)

    def call(self, name: str, fd: int, amount: int) -> int:
        if name in ("recv", "send", "sendmsg", "sendfile", "wait", "accept") and self.random.random() < 0.3:
            if name == "wait":
                return -errno.EINTR
            if name == "accept" or self.random.random() < 0.5:
                return -self.random.choice((errno.EINTR, errno.EAGAIN))
            return min(amount, self.random.choice((1, 7, 4096, 50_000)))
        return amount


def provider(script: Script) -> Any:
    """Return the provider on a kernel with faults."""

    class Faulty(EpollTransport):
        @classmethod
        def new_loop(cls) -> asyncio.AbstractEventLoop:
            return EpollLoop(ScriptedKernel(script))

    return Faulty


def play(main: Callable[[Any, Script], Coroutine[Any, Any, Any]]) -> list[dict[str, Any]]:
    """Run `main(transport, script)`; return what the loop's exception handler was told."""
    script = Script()
    told: list[dict[str, Any]] = []

    async def begin(transport: Any) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
        async with asyncio.timeout(30):
            await main(transport, script)
        assert transport.poller.kernel.error is None

    provider(script).run(begin)
    return told


async def until(predicate: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not predicate():
            await asyncio.sleep(0.001)


async def pair(transport: Any, opened: Callable[[Stream], object] = Recorder) -> tuple[socket.socket, list[Any]]:
    """Return a plain socket, and what `opened` made of its other end, in a list."""
    far: list[Any] = []
    listener = await transport.listen(Binding(host="127.0.0.1"), lambda stream: far.append(opened(stream)))
    peer = socket.create_connection(listener.address)
    peer.settimeout(10)
    await until(lambda: far)
    listener.close()
    return peer, far


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.name)
def test_every_promise_holds_on_a_shaky_kernel(promise: Promise, seed: int) -> None:
    """Interruptions, calls that would block after all, short reads and short writes change no promise."""
    check_promise(provider(Shaky(seed)), promise)


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
