"""Promises about the end of input, closing, resets and deadlines."""

from __future__ import annotations

import anyio

from .stage import PROMISES, Recorder, Stage, ensure, promise

__all__ = ["PROMISES"]

LARGE = 4 * 1024 * 1024


def _ended_once(recorder: Recorder) -> bool:
    return recorder.calls.count("lost") == 1 and recorder.calls[-1] == "lost"


@promise
async def half_close_leaves_the_other_direction(stage: Stage) -> None:
    """`write_eof` tells the other end once, after the bytes; it can still write, and we still read."""
    near, far = await stage.pair()
    near.stream.write(b"question")
    near.stream.write_eof()
    near.stream.write_eof()
    await stage.until(lambda: far.calls == ["received", "ended"], "the end of input is told after the bytes")
    await anyio.sleep(0.02)
    ensure(far.calls == ["received", "ended"] and near.calls == [], f"the calls were {far.calls} and {near.calls}")
    far.stream.write(b"answer" * 10_000)
    far.stream.close()
    await stage.until(lambda: near.data == b"answer" * 10_000, "the answer to a half-closed stream arrives")
    await stage.until(lambda: _ended_once(far), "the stream's end is told")
    ensure(far.error is None, f"our own close was told with {far.error!r}")


@promise
async def close_writes_what_is_queued(stage: Stage) -> None:
    """`close` lets everything queued go out, tells the end once, last, with None, and not inside `close`."""
    near, far = await stage.pair()
    far.stream.pause_reading()

    def act() -> list[str]:
        near.stream.write(b"x" * LARGE)
        near.stream.close()
        near.stream.close()
        return [call for call in near.calls if call == "lost"]

    ensure(await stage.in_callback(act) == [], "the end was told inside close()")
    await anyio.sleep(0.02)
    ensure("lost" not in near.calls, "the end was told before everything was written")
    far.stream.resume_reading()
    await stage.until(lambda: len(far.data) == LARGE, "what was queued arrives")
    await stage.until(lambda: _ended_once(near), "the end is told once, last")
    ensure(near.error is None, f"our own close was told with {near.error!r}")
    await stage.until(lambda: bool({"ended", "lost"} & set(far.calls)), "the other end sees the end")


@promise
async def a_closed_stream_delivers_nothing(stage: Stage) -> None:
    """After `close` no bytes are delivered, though the other end sends some."""
    near, far = await stage.pair()
    near.stream.write(b"before")
    await stage.until(lambda: far.data == b"before", "bytes arrive")
    far.stream.close()
    near.stream.write(b"after")
    await stage.until(lambda: _ended_once(far), "the end is told")
    await anyio.sleep(0.02)
    ensure(far.data == b"before", "bytes were delivered to a closed stream")
    ensure(_ended_once(far), f"the calls were {far.calls}")


@promise
async def abort_ends_at_once(stage: Stage) -> None:
    """`abort` drops what is queued, tells the end once, and the other end sees one."""
    near, far = await stage.pair()
    far.stream.pause_reading()
    near.stream.write(b"x" * LARGE)

    def act() -> bool:
        near.stream.abort()
        near.stream.abort()
        return "lost" in near.calls

    ensure(not await stage.in_callback(act), "the end was told inside abort()")
    await stage.until(lambda: _ended_once(near), "the end is told though the other end reads nothing")
    ensure(near.stream.unwritten == 0, "bytes are left unwritten after abort()")
    far.stream.resume_reading()
    await stage.until(lambda: bool({"ended", "lost"} & set(far.calls)), "the other end sees the end")
    ensure(len(far.data) < LARGE, "what was dropped arrived")


@promise
async def a_reset_is_told_with_its_reason(stage: Stage) -> None:
    """A stream that the other end aborts is lost once, last, and nothing on it raises afterwards."""
    near, far = await stage.pair()
    near.stream.write(b"x")
    await stage.until(lambda: far.data == b"x", "bytes arrive")
    near.stream.abort()
    await stage.until(lambda: bool({"ended", "lost"} & set(far.calls)), "the end is seen")
    for _ in range(50):  # where a reset looks like an end of input, writing finds out
        far.stream.write(b"y" * 1000)
        await anyio.sleep(0.001)
        if "lost" in far.calls:
            break
    await stage.until(lambda: _ended_once(far), "a broken stream is lost")
    ensure(far.error is not None, "a reset was told without a reason")


@promise
async def nothing_raises_after_the_end(stage: Stage) -> None:
    """Every call on a stream that is gone is without effect."""
    near, far = await stage.pair()
    near.stream.close()
    await stage.until(lambda: _ended_once(near), "the end is told")
    calls = list(near.calls)
    near.stream.write(b"x")
    near.stream.write([b"x", b"y"])
    near.stream.write_eof()
    near.stream.limit_writes(10, 1)
    near.stream.pause_reading()
    near.stream.resume_reading()
    near.stream.close()
    near.stream.abort()
    ensure(near.stream.unwritten == 0, "something is unwritten on a stream that is gone")
    far.stream.write(b"z")
    await anyio.sleep(0.05)
    ensure(near.calls == calls, f"a stream that is gone told {near.calls[len(calls) :]}")


@promise
async def end_of_input_waits_for_a_paused_reader(stage: Stage) -> None:
    """Neither bytes nor the end of input overtake a pause."""
    near, far = await stage.pair()
    far.stream.pause_reading()
    near.stream.write(b"x")
    near.stream.write_eof()
    await anyio.sleep(0.02)
    ensure(far.calls == [], f"a paused reader was told {far.calls}")
    far.stream.resume_reading()
    await stage.until(lambda: far.calls == ["received", "ended"], "bytes and end of input follow the pause")


@promise
async def a_streams_deadline_is_told_to_its_receiver(stage: Stage) -> None:
    """A deadline armed for a stream reaches its receiver; one of a stream that is gone reaches nobody."""
    near, far = await stage.pair()
    timers = stage.transport.timers
    timers.arm(near.stream, stage.transport.now() + 0.05)
    timers.arm(far.stream, stage.transport.now() + 0.4)
    await stage.until(lambda: near.calls == ["expired"], "the deadline is told")
    far.stream.abort()
    await stage.until(lambda: _ended_once(far), "the end is told")
    await anyio.sleep(0.8)
    ensure("expired" not in far.calls, "a stream that is gone has deadlines")
    ensure(len(timers) == 0, "the wheel holds a stream that is gone")


@promise
async def closing_inside_received_is_final(stage: Stage) -> None:
    """A receiver that closes its stream while it is called gets the end, and nothing else."""
    near, far = await stage.pair()
    far.answer = lambda recorder: recorder.stream.close()
    near.stream.write(b"x")
    await stage.until(lambda: _ended_once(far), "the end is told")
    ensure(far.calls == ["received", "lost"], f"the calls were {far.calls}")
