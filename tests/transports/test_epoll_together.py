"""Sockets that are ready in one turn are received for before any of them is served, and sent for afterwards."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from highper_transports.epoll import EpollTransport
from highper_transports.intake import Intake
from highper_transports.sockets import Binding
from highper_transports.stream import Receiver, Stream

GO = b"go"


class Near(Receiver):
    """Keeps what it is told; does `act` when bytes come."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.data = b""
        self.told: list[str] = []
        self.act: Callable[[Near, bytes], object] | None = None
        stream.receiver = self

    def received(self, data: bytes, now: float) -> None:
        self.told.append("received")
        self.data += data
        if self.act is not None:
            self.act(self, data)

    def filled(self, count: int, now: float) -> None:
        self.told.append(f"filled {count}")

    def ended(self) -> None:
        self.told.append("ended")

    def lost(self, error: BaseException | None) -> None:
        self.told.append("lost")

    def writing_paused(self) -> None:
        self.told.append("paused")

    def writing_resumed(self) -> None:
        self.told.append("resumed")


class Crowd:
    """Peers, by plain sockets, and their other ends."""

    def __init__(self) -> None:
        self.peers: list[socket.socket] = []
        self.ends: list[Near] = []
        self.told: list[dict[str, Any]] = []

    async def gather(self, transport: Any, size: int) -> None:
        listener = await transport.listen(Binding(host="127.0.0.1"), lambda stream: self.ends.append(Near(stream)))
        for index in range(size):
            peer = socket.create_connection(listener.address)
            peer.settimeout(10)
            self.peers.append(peer)
            await until(lambda index=index: len(self.ends) > index)
        listener.close()

    def send_all(self, data: bytes = GO) -> None:
        """Have bytes wait for every end before the loop looks again."""
        for peer in self.peers:
            peer.sendall(data)

    def on_first(self, act: Callable[[Near], object]) -> None:
        """Have whoever is served first do something to the others."""
        acted = []

        def once(near: Near, data: bytes) -> None:
            if not acted:
                acted.append(near)
                act(near)

        for end in self.ends:
            end.act = once


async def until(predicate: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not predicate():
            await asyncio.sleep(0.001)


def play(size: int, main: Callable[[Crowd], Awaitable[None]]) -> list[dict[str, Any]]:
    """Run `main` with a crowd; return what the loop's exception handler was told."""
    told: list[dict[str, Any]] = []

    async def begin(transport: Any) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
        crowd = Crowd()
        await crowd.gather(transport, size)
        try:
            await main(crowd)
        finally:
            for peer in crowd.peers:
                peer.close()

    EpollTransport.run(begin)
    return told


@pytest.mark.parametrize("size", [1, 2, 31, 32, 33, 100])
def test_everybody_gets_their_own_answer(size: int) -> None:
    """Whatever the number of sockets, each peer reads the echo of what it sent, in order."""

    async def main(crowd: Crowd) -> None:
        for end in crowd.ends:
            end.act = lambda near, data: [near.stream.write(data[:1]), near.stream.write([data[1:2], data[2:]])]
        for turn in range(3):
            for index, peer in enumerate(crowd.peers):
                peer.sendall(b"%d,%d" % (turn, index))
            await asyncio.sleep(0)
            for index, peer in enumerate(crowd.peers):
                await until(lambda turn=turn, end=crowd.ends[index]: len(end.told) > turn)
                assert peer.recv(100) == b"%d,%d" % (turn, index)

    assert play(size, main) == []


def test_answers_are_written_when_all_were_served() -> None:
    """Nobody's answer has left while another one is served, and every one has when the loop goes on."""
    seen: list[bytes] = []

    async def main(crowd: Crowd) -> None:
        def act(near: Near, data: bytes) -> None:
            for peer in crowd.peers:
                peer.setblocking(False)
                with pytest.raises(BlockingIOError):
                    peer.recv(1)
            near.stream.write(data)
            assert near.stream.unwritten == len(data)

        for end in crowd.ends:
            end.act = act
        crowd.send_all()
        await until(lambda: all(end.data for end in crowd.ends))
        assert [end.stream.unwritten for end in crowd.ends] == [0, 0, 0]
        seen.extend(peer.recv(10) for peer in crowd.peers)

    assert play(3, main) == []
    assert seen == [GO, GO, GO]


@pytest.mark.parametrize("length", [16_383, 16_384, 16_385, 300_000, 30_000_000])
def test_what_is_much_leaves_whole_and_in_order(length: int) -> None:
    """A large write behind small ones overtakes nothing, and its pressure is told."""
    body = bytes(range(251)) * (length // 251 + 1)

    async def main(crowd: Crowd) -> None:
        for end in crowd.ends:
            end.act = lambda near, data: [near.stream.write(part) for part in (b"head", body, b"tail")]
        crowd.send_all()
        for peer, end in zip(crowd.peers, crowd.ends, strict=True):
            got = bytearray()
            await until(lambda end=end: end.data)
            while len(got) < len(body) + 8:
                await asyncio.sleep(0)
                got += peer.recv(1 << 20)
            assert bytes(got) == b"head" + body + b"tail"
            assert ("paused" in end.told) is (length == 30_000_000)

    assert play(3, main) == []


def test_closing_and_half_closing_follow_what_was_written() -> None:
    """`close` and `write_eof` in the go that wrote lose nothing of it."""

    async def main(crowd: Crowd) -> None:
        crowd.ends[0].act = lambda near, data: [near.stream.write(b"bye"), near.stream.close()]
        crowd.ends[1].act = lambda near, data: [near.stream.write(b"eof"), near.stream.write_eof()]
        crowd.ends[2].act = lambda near, data: [near.stream.write(b"rst"), near.stream.abort()]
        crowd.send_all()
        await until(lambda: all(end.data for end in crowd.ends) and "lost" in crowd.ends[2].told)
        assert [crowd.peers[0].recv(9), crowd.peers[0].recv(9)] == [b"bye", b""]
        assert [crowd.peers[1].recv(9), crowd.peers[1].recv(9)] == [b"eof", b""]
        with pytest.raises(ConnectionResetError):
            crowd.peers[2].recv(9)

    assert play(3, main) == []


def test_a_receiver_that_fails_costs_only_itself() -> None:
    """Who was served before it gets the answer, and so does who comes after it."""

    async def main(crowd: Crowd) -> None:
        def fail(near: Near, data: bytes) -> None:
            near.stream.write(data)
            raise ValueError("of one")

        for end in crowd.ends:
            end.act = lambda near, data: near.stream.write(data)
        crowd.ends[1].act = fail
        crowd.send_all()
        await until(lambda: "lost" in crowd.ends[1].told)
        assert crowd.peers[0].recv(9) == crowd.peers[2].recv(9) == GO

    (told,) = play(3, main)
    assert str(told["exception"]) == "of one"


def test_who_is_paused_by_another_gets_what_came_afterwards() -> None:
    """Bytes that were received before the pause are delivered after it, before what follows and the end."""

    async def main(crowd: Crowd) -> None:
        def pause_others(first: Near) -> None:
            for end in crowd.ends:
                if end is not first:
                    end.stream.pause_reading()

        crowd.on_first(pause_others)
        crowd.send_all()
        for peer in crowd.peers:
            peer.sendall(b" on")
            peer.shutdown(socket.SHUT_WR)
        await until(lambda: any(end.data for end in crowd.ends))
        await asyncio.sleep(0.01)
        paused = [end for end in crowd.ends if not end.data]
        assert len(paused) == 2
        assert all(end.told == [] for end in paused)
        for end in paused:
            end.stream.resume_reading()
            assert end.told == []
        await until(lambda: all("ended" in end.told for end in crowd.ends))
        assert [end.data for end in crowd.ends] == [b"go on"] * 3

    assert play(3, main) == []


def test_who_is_paused_twice_by_others_keeps_everything() -> None:
    """A pause between the resumption and the delivery holds the bytes back once more."""

    async def main(crowd: Crowd) -> None:
        def pause_others(first: Near) -> None:
            for end in crowd.ends:
                if end is not first:
                    end.stream.pause_reading()

        crowd.on_first(pause_others)
        crowd.send_all()
        await until(lambda: any(end.data for end in crowd.ends))
        (paused,) = [end for end in crowd.ends if not end.data]
        paused.stream.resume_reading()
        paused.stream.pause_reading()
        await asyncio.sleep(0.01)
        assert paused.told == []
        paused.stream.resume_reading()
        await until(lambda: paused.data == GO)

    assert play(2, main) == []


def test_who_fails_on_what_was_kept_is_ended() -> None:
    """As it is for what is delivered at once."""

    async def main(crowd: Crowd) -> None:
        def fail(near: Near, data: bytes) -> None:
            raise ValueError("of what was kept")

        def pause_other(first: Near) -> None:
            (other,) = [end for end in crowd.ends if end is not first]
            other.act = fail
            other.stream.pause_reading()

        crowd.on_first(pause_other)
        crowd.send_all()
        await until(lambda: any(end.data for end in crowd.ends))
        (paused,) = [end for end in crowd.ends if not end.data]
        paused.stream.resume_reading()
        await until(lambda: paused.told == ["received", "lost"])

    (told,) = play(2, main)
    assert str(told["exception"]) == "of what was kept"


@pytest.mark.parametrize("end_it", ["close", "abort"])
def test_who_is_ended_by_another_is_served_no_more(end_it: str) -> None:
    """Bytes that were received for a stream which another one ended are dropped."""

    async def main(crowd: Crowd) -> None:
        crowd.on_first(lambda first: [getattr(end.stream, end_it)() for end in crowd.ends if end is not first])
        crowd.send_all()
        await until(lambda: sum("lost" in end.told for end in crowd.ends) == 2)
        assert sorted(end.told for end in crowd.ends) == [["lost"], ["lost"], ["received"]]

    assert play(3, main) == []


def test_content_goes_where_another_one_said() -> None:
    """An intake given in the same go takes what was received, and what is beyond it is delivered behind it."""

    async def main(crowd: Crowd) -> None:
        intake = Intake(4)

        def collect(first: Near) -> None:
            (other,) = [end for end in crowd.ends if end is not first]
            other.stream.receive_into(intake)

        crowd.on_first(collect)
        crowd.send_all(b"bodynext")
        await until(lambda: all("received" in end.told for end in crowd.ends))
        (filled,) = [end for end in crowd.ends if "filled 4" in end.told]
        assert filled.told == ["filled 4", "received"]
        assert (intake.take(), filled.data) == (b"body", b"next")

    assert play(2, main) == []


def test_many_large_receptions_share_the_room() -> None:
    """More than there is room for is received in the usual way, and nothing is mixed up."""

    async def main(crowd: Crowd) -> None:
        for index, peer in enumerate(crowd.peers):
            peer.sendall(bytes([index]) * 60_000)
        await until(lambda: all(len(end.data) == 60_000 for end in crowd.ends))
        for index, end in enumerate(crowd.ends):
            assert end.data == bytes([index]) * 60_000

    assert play(12, main) == []


def test_an_interrupt_in_a_go_loses_nothing() -> None:
    """What was received for those who were not served yet is delivered when the loop goes on."""
    ends: list[Near] = []
    loop = EpollTransport.new_loop()
    asyncio.set_event_loop(loop)
    crowd = Crowd()

    def interrupt(near: Near, data: bytes) -> None:
        near.act = None
        raise KeyboardInterrupt

    async def prepare() -> None:
        await crowd.gather(EpollTransport(), 3)
        for end in crowd.ends:
            end.act = lambda near, data: near.stream.write(data)
        ends.extend(crowd.ends)
        ends[0].act = interrupt
        crowd.send_all()
        await asyncio.sleep(60)

    async def finish() -> None:
        await until(lambda: all(end.data == GO for end in ends[1:]))
        crowd.send_all(b"more")
        await until(lambda: all(end.data == b"gomore" for end in ends[1:]))
        assert [peer.recv(20) for peer in crowd.peers[1:]] == [b"gomore", b"gomore"]
        for end in ends:
            end.act = None
            end.stream.abort()

    preparing = loop.create_task(prepare())
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(preparing)
        preparing.cancel()
        loop.run_until_complete(finish())
    finally:
        for peer in crowd.peers:
            peer.close()
        asyncio.set_event_loop(None)
        loop.close()
