"""Promises about streams at rest: what wakes them, what ends them, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import anyio
from zope.interface import implementer

from ..interfaces import IStreamOwner
from ..stream import Receiver, Stream
from .stage import PROMISES, Recorder, Stage, ensure, promise

__all__ = ["PROMISES"]


@implementer(IStreamOwner)
class Owner:
    """Lets streams rest when they are opened, gives them a `Recorder` when they wake.

    Attributes:
        calls: what was told, "lost at rest" once for each stream.
        made: receivers, in the order of waking.
        answer: of every receiver made.
    """

    def __init__(self, stage: Stage, deadline: Callable[[], float] = lambda: inf) -> None:
        self.stage = stage
        self.deadline = deadline
        self.calls: list[str] = []
        self.made: list[Recorder] = []
        self.names: list[tuple[Any, ...]] = []
        self.opened_count = 0
        self.answer: Callable[[Recorder], object] | None = None

    def opened(self, stream: Stream) -> None:
        """Let a new stream rest."""
        self.opened_count += 1
        self.names.append(_name(stream))
        stream.owner = self
        stream.rest(self.deadline())

    def wake(self, stream: Stream) -> Receiver:
        """Make a receiver."""
        self.calls.append("wake")
        self.names.append(_name(stream))
        self.stage.streams.append(stream)
        self.made.append(Recorder(stream, self.answer))
        return self.made[-1]

    def lost(self, stream: Stream) -> None:
        """Note the end of one that was awake."""
        self.calls.append("lost")

    def lost_at_rest(self, count: int) -> None:
        """Note the end of those that were not."""
        self.calls += ["lost at rest"] * count

    def dozed(self, stream: Stream) -> None:
        """Note that one dozes."""
        self.calls.append("dozed")

    def roused(self, stream: Stream) -> None:
        """Note that one that dozed is awake."""
        self.calls.append("roused")
        self.names.append(_name(stream))
        self.stage.streams.append(stream)

    async def peer(self, **place: Any) -> Recorder:
        """Return the other end of a new stream of ours, which is at rest by then."""
        stage = self.stage
        tls = stage.options.tls if "tls" in place else None
        listener = await stage.listen(self.opened, **place)
        near: list[Recorder] = []
        options = {} if tls is None else {"tls": tls[1]}
        count = self.opened_count
        await stage.connect(listener.address, lambda stream: near.append(Recorder(stream)), **options)
        await stage.until(lambda: self.opened_count > count, "an accepted stream is announced")
        return near[0]


def _name(stream: Stream) -> tuple[Any, ...]:
    return stream.peer, stream.local, stream.scheme, stream.alpn


def _ended(recorder: Recorder) -> bool:
    return bool({"ended", "lost"} & set(recorder.calls))


@promise
async def a_stream_at_rest_wakes_its_owner(stage: Stage) -> None:
    """Bytes for a stream at rest ask its owner for a receiver, once; the owner is told of the end, after it."""
    owner = Owner(stage)
    near = await owner.peer()
    await anyio.sleep(0.02)
    ensure(owner.calls == [], "a stream with nothing to tell woke its owner")
    near.stream.write(b"a")
    await stage.until(lambda: bool(owner.made) and owner.made[0].data == b"a", "the owner's receiver gets the bytes")
    owner.made[0].answer = lambda recorder: owner.calls.append("receiver lost")
    owner.made[0].stream.close()
    await stage.until(lambda: _ended(near), "the end is seen")
    await stage.until(lambda: len(owner.calls) == 3, "the owner is told of the end")
    ensure(owner.calls == ["wake", "receiver lost", "lost"], f"the calls were {owner.calls}")


async def _turn(stage: Stage, owner: Owner, near: Recorder, turn: int) -> None:
    near.stream.write(b"question %d" % turn)
    await stage.until(lambda: len(owner.made) == turn and bool(owner.made[-1].data), "bytes wake the owner")
    awake = owner.made[-1]
    ensure(awake.data == b"question %d" % turn, f"the receiver was given {bytes(awake.data)!r}")
    awake.stream.write(b"answer %d;" % turn)
    await stage.until(lambda: near.data.endswith(b"answer %d;" % turn), "what a woken stream writes arrives")
    await stage.until(lambda: not awake.stream.unwritten, "what was written is no more unwritten")
    await anyio.sleep(0.01)

    def act() -> list[str]:
        awake.stream.rest(inf)
        return list(owner.calls)

    calls = await stage.in_callback(act)
    ensure(calls == ["wake"] * turn, "something was told inside rest()")
    ensure(awake.calls == ["received"], f"a receiver that let its stream rest was told {awake.calls}")


async def _rests_and_wakes(stage: Stage, **place: Any) -> None:
    owner = Owner(stage)
    near = await owner.peer(**place)
    for turn in range(1, 4):
        await _turn(stage, owner, near, turn)
    ensure(len(set(owner.names)) == 1, f"addresses, scheme and ALPN changed: {owner.names}")
    near.stream.close()
    await stage.until(lambda: len(owner.calls) > 3, "the owner is told of the end")
    ensure(owner.calls == ["wake"] * 3 + ["lost at rest"], f"the calls were {owner.calls}")


@promise
async def a_stream_rests_and_wakes_again_and_again(stage: Stage) -> None:
    """What a stream is outlasts its rests: peer, local address, scheme, ALPN protocol, owner; its receivers do not."""
    await _rests_and_wakes(stage)


@promise
async def a_secured_stream_rests_and_wakes_too(stage: Stage) -> None:
    """The same over TLS, where the provider is judged with it."""
    if stage.options.tls is not None:
        await _rests_and_wakes(stage, host=stage.options.host, tls=stage.options.tls[0])


@promise
async def a_stream_may_be_laid_while_it_is_read(stage: Stage) -> None:
    """A receiver lets its stream rest inside `received`; nothing of what follows is lost, and waking is never
    synchronous."""
    owner = Owner(stage)
    received = bytearray()
    inside: list[bool] = []

    def lay(recorder: Recorder) -> None:
        received.extend(recorder.data)
        recorder.data.clear()
        count = len(owner.made)
        recorder.stream.rest(inf)
        inside.append(len(owner.made) > count)

    owner.answer = lay
    near = await owner.peer()
    sent = b"".join(b"%06d" % number for number in range(20_000))
    for begin in range(0, len(sent), 40_000):
        near.stream.write(sent[begin : begin + 40_000])
        await anyio.sleep(0)
    await stage.until(lambda: len(received) == len(sent), "everything arrives")
    ensure(bytes(received) == sent, "bytes were lost or changed places")
    ensure(not any(inside), "the owner was woken inside rest()")


@promise
async def a_rest_ends_at_its_deadline(stage: Stage) -> None:
    """A deadline ends the stream without waking it; one of a rest that bytes ended is forgotten."""
    patient = Owner(stage, lambda: stage.transport.now() + 0.3)
    near = await patient.peer()
    near.stream.write(b"x")
    await stage.until(lambda: bool(patient.made), "bytes wake the owner")
    owner = Owner(stage, lambda: stage.transport.now() + 0.2)
    peer = await owner.peer()
    before = stage.transport.now()
    await stage.until(lambda: bool(owner.calls), "the deadline ends the stream")
    ensure(owner.calls == ["lost at rest"], f"the calls were {owner.calls}")
    ensure(stage.transport.now() - before >= 0.15, "the deadline was met early")
    await stage.until(lambda: _ended(peer), "the other end sees the end")
    await anyio.sleep(0.5)
    ensure(patient.calls == ["wake"] and patient.made[0].calls == ["received"], "a deadline outlived its rest")
    ensure(len(stage.transport.timers) == 0, "the wheel holds a stream that is gone")


@promise
async def the_end_of_input_and_a_reset_end_a_rest(stage: Stage) -> None:
    """A peer that leaves while its stream rests wakes nobody; the owner is told once for each."""
    owner = Owner(stage)
    ending, leaving, breaking = [await owner.peer() for _ in range(3)]
    ending.stream.write_eof()
    leaving.stream.close()
    breaking.stream.abort()
    await stage.until(lambda: len(owner.calls) >= 3, "the owner is told of the ends")
    await stage.until(lambda: _ended(ending), "the peer that ended its side sees the end")
    await anyio.sleep(0.02)
    ensure(owner.calls == ["lost at rest"] * 3, f"the calls were {owner.calls}")


@promise
async def those_at_rest_are_closed_by_owner(stage: Stage) -> None:
    """`rest.close` and `rest.abort` end the streams at rest of one owner, tell it, and leave everybody else alone."""
    await _closed_by_owner(stage, stage.transport.rest.close)
    await _closed_by_owner(stage, stage.transport.rest.abort)


@promise
async def a_rest_can_be_cut_short(stage: Stage) -> None:
    """`rest.hasten` brings the deadlines of one owner's streams at rest forward, and moves none back."""
    await _closed_by_owner(stage, lambda owner: stage.transport.rest.hasten(owner, stage.transport.now() + 0.1))
    owner = Owner(stage, lambda: stage.transport.now() + 0.2)
    await owner.peer()
    stage.transport.rest.hasten(owner, inf)
    await stage.until(lambda: owner.calls == ["lost at rest"], "an earlier deadline holds")


async def _closed_by_owner(stage: Stage, end: Callable[[Owner], object]) -> None:
    ours, theirs = Owner(stage), Owner(stage)
    peers = [await ours.peer() for _ in range(3)]
    other = await theirs.peer()
    peers[0].stream.write(b"awake")
    await stage.until(lambda: bool(ours.made), "bytes wake the owner")

    def act() -> list[str]:
        end(ours)
        return list(ours.calls)

    ensure(await stage.in_callback(act) == ["wake"], "the end was told synchronously")
    await stage.until(lambda: len(ours.calls) == 3, "the owner is told")
    ensure(ours.calls == ["wake", "lost at rest", "lost at rest"], f"the calls were {ours.calls}")
    await stage.until(lambda: all(map(_ended, peers[1:])), "the peers see the end")
    ensure(peers[0].calls == [] and theirs.calls == [], "somebody else's stream was ended")
    end(ours)
    other.stream.write(b"x")
    await stage.until(lambda: bool(theirs.made), "the other owner's stream wakes")
