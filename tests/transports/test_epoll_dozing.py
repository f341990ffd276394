"""Streams that are records while they doze: their receivers belong to the record, and no event gets lost or wrong."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
import sys
from math import inf
from weakref import ref

import pytest
from transports.dozing_scene import EPOLLIN, Play, Scene, Script, play, until

from highper_transports.epoll import EpollTransport
from highper_transports.sockets import Binding

__all__ = ["play"]


def test_while_it_dozes_a_stream_is_no_object(play: Play) -> None:
    """Nothing refers to the stream any more, and the wheel holds no deadline of its own for it."""

    async def main(scene: Scene) -> None:
        _, kept, _ = await scene.dozer()
        stream = kept.stream
        assert sys.getrefcount(stream) == 3  # ours, the receiver's old one, and the call's
        assert stream.receiver is None
        assert not len(scene.transport.timers)
        assert scene.transport.poller.statistics()["resting"] == 1
        stream.write(b"to nobody")  # a stream that dozes is not used any more; if it is, nothing happens
        stream.close()
        stream.abort()
        peer = scene.peers[0]
        peer.sendall(b"x")
        await until(lambda: kept.data == b"x")
        assert kept.stream is not stream

    assert play(main) == []


def test_a_receiver_is_referred_to_once_by_its_record(play: Play) -> None:
    """However it wakes and dozes, the record's reference is one; when the stream is gone there is none."""

    async def main(scene: Scene) -> None:
        peer, kept, place = await scene.dozer()
        base = sys.getrefcount(kept)
        for turn in range(50):
            if turn % 2:
                scene.transport.rest.recall(place, kept)
            else:
                peer.sendall(b"x")
                await until(lambda: kept.told and kept.told[-1] == "received")
            kept.told.clear()
            assert sys.getrefcount(kept) == base  # its stream's, now
            place = kept.stream.doze(inf)
            assert sys.getrefcount(kept) == base
        scene.transport.rest.rouse(scene.owner)
        kept.stream.abort()
        await until(lambda: "lost" in kept.told)
        assert sys.getrefcount(kept) == base - 1

    assert play(main) == []


def test_what_a_closed_poller_kept_is_let_go() -> None:
    """Closing all sockets drops the receivers; who still writes to one writes to nobody, not to a stranger's file."""

    async def main() -> None:
        scene = Scene(EpollTransport(), Script())
        _, awake, place = await scene.dozer()
        awake.stream = scene.transport.rest.recall(place, awake)
        _, asleep, place = await scene.dozer()
        base = sys.getrefcount(asleep)
        scene.transport.poller.close()
        assert sys.getrefcount(asleep) == base - 1
        strangers = socket.socketpair()
        gone = scene.transport.rest.recall(place, asleep)
        for stream in (awake.stream, gone):
            stream.write(b"to nobody")
            stream.close()
            stream.abort()
            assert not stream.unwritten
        for end in strangers:
            end.setblocking(False)
            with pytest.raises(BlockingIOError):
                end.recv(100)
        for peer in scene.peers:
            assert peer.recv(100) == b""
        for end in (*strangers, *scene.peers):
            end.close()

    asyncio.run(main())


def test_an_event_without_a_cause_leaves_it_dozing(play: Play) -> None:
    """A lying EPOLLIN, an interruption: nothing is told, and the stream dozes on."""

    async def main(scene: Scene) -> None:
        peer, kept, place = await scene.dozer()
        scene.script.lies = [(0, scene.transport.poller.kernel.words[place], EPOLLIN)]
        await until(lambda: not scene.script.lies)
        await asyncio.sleep(0.01)
        assert kept.told == []
        for error in (errno.EAGAIN, errno.EINTR):
            scene.script.recv = [-error]
            peer.sendall(b"x")
            await until(lambda: not scene.script.recv)
            await until(lambda: kept.data)
            assert kept.told == ["woken", "received"]
            kept.told.clear()
            kept.data = b""
            kept.stream.doze(inf)

    assert play(main) == []


def test_what_the_system_takes_at_once_leaves_a_stream_dozing(play: Play) -> None:
    """What it takes a part of rouses the stream, which writes the rest; what it does not take changes nothing."""

    async def main(scene: Scene) -> None:
        peer, kept, place = await scene.dozer()
        rest = scene.transport.rest
        assert rest.write(place, kept, b"all of it")
        assert peer.recv(100) == b"all of it"
        assert kept.told == []
        for error in (errno.EAGAIN, errno.EINTR, errno.EPIPE):
            scene.script.send = [-error]
            assert not rest.write(place, kept, b"nothing")
            assert not scene.script.send
        assert kept.told == []
        scene.script.send = [3]
        assert rest.write(place, kept, b"some of it")
        assert kept.told == ["woken"]
        assert peer.recv(10, socket.MSG_WAITALL) == b"some of it"
        assert not rest.write(place, kept, b"it is awake")
        assert kept.stream.doze(inf) == place
        other = (await scene.dozer())[1]
        assert not rest.write(place, other, b"of somebody else")

    assert play(main) == []


def test_an_error_at_rest_is_told_with_its_reason(play: Play) -> None:
    """What `recv` ends with while the stream dozes is what `lost` says, once."""

    async def main(scene: Scene) -> None:
        peer, kept, _ = await scene.dozer()
        scene.script.recv = [-errno.ETIMEDOUT]
        peer.sendall(b"x")
        await until(lambda: "lost" in kept.told)
        assert kept.told == ["woken", "lost"]
        assert isinstance(kept.error, TimeoutError)
        assert scene.owner.ended == 1

    assert play(main) == []


def test_a_deadline_may_end_others_whose_deadline_has_passed_too(play: Play) -> None:
    """Many are due in one go, and the first that is told closes and lays the others: each is told what is true."""

    async def main(scene: Scene) -> None:
        now = scene.transport.now()
        kept = [(await scene.dozer(now + 0.2))[1] for _ in range(4)]
        first, again, gone, last = kept

        def act(call: str) -> None:
            if call == "expired":
                scene.transport.rest.rouse(scene.owner)
                again.stream.doze(scene.transport.now() + 0.3)
                gone.stream.abort()

        first.act = act
        await until(lambda: again.told.count("expired") and "lost" in gone.told)
        assert first.told == ["woken", "expired"]
        assert again.told == ["woken", "woken", "expired"]
        assert gone.told == ["woken", "lost"]
        assert last.told == ["woken"]

    assert play(main) == []


def test_a_receiver_that_fails_when_it_is_told_a_deadline_costs_only_itself(play: Play) -> None:
    """The loop's exception handler is told, its stream ends, and the next one is told in its turn."""

    async def main(scene: Scene) -> None:
        now = scene.transport.now()
        bad, good = [(await scene.dozer(now + 0.2))[1] for _ in range(2)]

        def act(call: str) -> None:
            if call == "expired":
                raise ZeroDivisionError

        bad.act = act
        await until(lambda: "lost" in bad.told and "expired" in good.told)
        assert isinstance(bad.error, ZeroDivisionError)

    [told] = play(main)
    assert isinstance(told["exception"], ZeroDivisionError)


def test_an_event_of_a_descriptor_that_was_used_again_wakes_nobody(play: Play) -> None:
    """The stream of one peer ends while an event for it waits, and another dozes at the same descriptor."""

    async def main(scene: Scene) -> None:
        _, kept, place = await scene.dozer()
        word = scene.transport.poller.kernel.words[place]
        listener = await scene.transport.listen(Binding(host="127.0.0.1"), scene.owner.opened)
        peer = socket.create_connection(listener.address)  # waits in the queue, so that its descriptor comes last
        scene.peers.append(peer)
        scene.transport.rest.recall(place, kept).abort()
        await until(lambda: "lost" in kept.told)
        peer.sendall(b"a")
        await until(lambda: len(scene.owner.kept) == 2)
        listener.close()
        other = scene.owner.kept[-1]
        other.told.clear()
        other.data = b""
        assert other.stream.doze(inf) >= 0
        scene.script.lies = [(0, word, EPOLLIN)]
        await until(lambda: not scene.script.lies)
        await asyncio.sleep(0.01)
        assert other.told == []
        peer.sendall(b"mine")
        await until(lambda: other.data == b"mine")

    assert play(main) == []


def test_what_would_be_lost_forbids_to_doze(play: Play) -> None:
    """Bytes that the peer has not taken, paused reading, an end of input, a handler of writability: it stays awake."""

    async def main(scene: Scene) -> None:
        peer, kept, place = await scene.dozer()
        stream = scene.transport.rest.recall(place, kept)
        stream.write(bytes(16_000_000))
        assert stream.unwritten
        assert stream.doze(inf) == -1
        peer.setblocking(False)

        def drain() -> bool:
            try:
                while peer.recv(1 << 20):
                    pass
            except BlockingIOError:
                return not stream.unwritten
            return False

        await until(drain)
        stream.pause_reading()
        assert stream.doze(inf) == -1
        stream.resume_reading()
        place = stream.doze(inf)
        assert place >= 0
        stream = scene.transport.rest.recall(place, kept)
        peer.shutdown(socket.SHUT_WR)
        await until(lambda: "ended" in kept.told)
        assert stream.doze(inf) == -1

    assert play(main) == []


def test_a_receiver_that_nobody_needs_any_more_is_freed(play: Play) -> None:
    """The record's is the last reference to a receiver that dozes; behind the end there is none."""

    async def main(scene: Scene) -> None:
        peer, kept, _ = await scene.dozer()
        watch = ref(kept)
        scene.owner.kept.clear()
        del kept
        gc.collect()
        assert watch() is not None
        peer.close()
        await until(lambda: scene.owner.awake)
        for stream in list(scene.owner.awake):
            stream.close()
        del stream
        await until(lambda: scene.owner.ended == 1)
        gc.collect()
        assert watch() is None

    assert play(main) == []
