"""Promises about streams that doze: their receivers are kept, and told as ever.

Where a provider keeps all of a stream anyway, nothing has changed, and the same holds.
"""

from __future__ import annotations

from math import inf
from typing import Any

import anyio

from .rest import Owner
from .stage import PROMISES, Recorder, Stage, ensure, promise

__all__ = ["PROMISES"]


class Dozer:
    """One stream that was awake and dozes, if it can.

    Attributes:
        near: the peer.
        far: the receiver that is kept.
        place: what `doze` returned.
    """

    def __init__(self, stage: Stage, owner: Owner, near: Recorder) -> None:
        self.stage = stage
        self.owner = owner
        self.near = near
        self.far = owner.made[-1]
        self.place = -1

    async def doze(self, deadline: float = inf) -> Dozer:
        """Let the stream doze."""
        before = list(self.far.calls)

        def act() -> int:
            return self.far.stream.doze(deadline)

        self.place = await self.stage.in_callback(act)
        ensure(self.far.calls == before, f"doze() told {self.far.calls[len(before) :]}")
        ensure(self.place < 0 or self.owner.calls[-1] == "dozed", "the owner was not told that a stream dozes")
        return self

    async def hears(self, data: bytes) -> None:
        """Wait until the receiver got what ends with `data`."""
        await self.stage.until(lambda: self.far.data.endswith(data), "its receiver gets the bytes")

    async def speaks(self, data: bytes) -> None:
        """Write, and wait until it has arrived."""
        self.far.stream.write(data)
        await self.stage.until(lambda: self.near.data.endswith(data), "what a stream writes that dozed arrives")
        await self.stage.until(lambda: not self.far.stream.unwritten, "what was written is no more unwritten")

    @property
    def told(self) -> list[str]:
        """What the receiver was told, apart from having a stream again."""
        return [call for call in self.far.calls if call != "woken"]


async def _dozer(stage: Stage, owner: Owner, **place: Any) -> Dozer:
    near = await owner.peer(**place)
    count = len(owner.made)
    near.stream.write(b"a")
    await stage.until(lambda: len(owner.made) > count and bool(owner.made[-1].data), "bytes wake the owner")
    dozer = Dozer(stage, owner, near)
    dozer.far.data.clear()
    dozer.far.calls.clear()
    return await dozer.doze()


async def _dozes_again_and_again(stage: Stage, **place: Any) -> None:
    owner = Owner(stage)
    dozer = await _dozer(stage, owner, **place)
    for turn in range(3):
        dozer.near.stream.write(b"question %d" % turn)
        await dozer.hears(b"question %d" % turn)
        await dozer.speaks(b"answer %d;" % turn)
        await dozer.doze()
    ensure(dozer.far.data == b"question 0question 1question 2", "bytes were lost or changed places")
    ensure(len(set(owner.names)) == 1, f"addresses, scheme and ALPN changed: {owner.names}")
    ensure(owner.calls.count("wake") == 1, "the owner was asked for a receiver, and there was one")
    dozer.near.stream.close()
    await stage.until(lambda: "ended" in dozer.told or "lost" in dozer.told, "it is told of the end")
    dozer.far.stream.close()
    await stage.until(lambda: "lost" in dozer.told and owner.calls[-1] == "lost", "both are told of the end")
    ensure(dozer.told.count("lost") == owner.calls.count("lost") == 1, "an end is told once")


@promise
async def a_receiver_outlasts_the_doze_of_its_stream(stage: Stage) -> None:
    """Bytes for a stream that dozes reach the receiver it had, which may write; peer and addresses are the same."""
    await _dozes_again_and_again(stage)


@promise
async def a_secured_stream_dozes_too(stage: Stage) -> None:
    """The same over TLS, where the provider is judged with it."""
    if stage.options.tls is not None:
        await _dozes_again_and_again(stage, host=stage.options.host, tls=stage.options.tls[0])


@promise
async def a_stream_that_dozes_can_be_recalled(stage: Stage) -> None:
    """`rest.recall` gives one receiver its stream, `rest.rouse` those of an owner; what they write arrives."""
    ours, theirs = Owner(stage), Owner(stage)
    first, second = [await _dozer(stage, ours) for _ in range(2)]
    other = await _dozer(stage, theirs)
    rest = stage.transport.rest
    if first.place >= 0:
        stream = await stage.in_callback(lambda: rest.recall(first.place, first.far))
        ensure(first.far.stream is stream and first.far.calls == ["woken"], "recall() gives its receiver the stream")
        sent = await stage.in_callback(lambda: rest.write(second.place, second.far, b"asleep"))
        ensure(not sent or second.far.calls == [], "a stream that was written to by the way was roused")
        if sent:
            await stage.until(lambda: second.near.data == b"asleep", "what is written to one that dozes arrives")
    await stage.in_callback(lambda: rest.rouse(ours))
    ensure(ours.calls.count("roused") == ours.calls.count("dozed"), "somebody of the owner dozes on")
    ensure(theirs.calls.count("roused") == 0, "somebody else's stream was roused")
    for dozer in (first, second):
        await dozer.speaks(b"here")
    other.near.stream.write(b"x")
    await other.hears(b"x")


@promise
async def the_end_of_who_dozes_is_told_its_receiver(stage: Stage) -> None:
    """The end of input, a close, a reset and the deadline reach the receiver as ever, and nobody ends it as idle."""
    owner = Owner(stage)
    ending, breaking, late, idle = [await _dozer(stage, owner) for _ in range(4)]
    ending.near.stream.write_eof()
    breaking.near.stream.abort()
    await stage.until(lambda: ending.told == ["ended"], "the end of input is told")
    await stage.until(lambda: "lost" in breaking.told, "a reset is told")
    if late.place >= 0:
        await stage.in_callback(lambda: stage.transport.rest.recall(late.place, late.far))
        await late.doze(stage.transport.now() + 0.2)
        await stage.until(lambda: late.told == ["expired"], "the deadline is told")
    stage.transport.rest.hasten(owner, stage.transport.now())
    stage.transport.rest.close(owner)
    stage.transport.rest.abort(owner)
    await anyio.sleep(0.3)
    ensure(idle.told == [], f"a stream that dozes was ended as if it were idle: {idle.told}")
    ensure(owner.calls.count("lost at rest") == 0, "its owner was told of an end at rest")
    idle.near.stream.write(b"x")
    await idle.hears(b"x")
