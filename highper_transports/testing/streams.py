"""Promises about bytes and pressure."""

from __future__ import annotations

import tempfile

import anyio

from ..errors import StreamBroken
from ..intake import Intake
from .stage import PROMISES, Recorder, Stage, ensure, promise

__all__ = ["PROMISES"]

LARGE = 8 * 1024 * 1024  # more than systems buffer


@promise
async def bytes_keep_their_order(stage: Stage) -> None:
    """What is written, in pieces, in lists, small and large, empty pieces too, arrives whole and in order."""
    near, far = await stage.pair()
    expected = bytearray()
    for number in range(200):
        piece = b"%d " % number * (1 + number % 7 * 300)
        if number % 3:
            near.stream.write(piece)
            expected += piece
        else:
            near.stream.write([piece, b"", b"|", piece[:3]])
            expected += piece + b"|" + piece[:3]
    near.stream.write(b"")
    near.stream.write([])
    await stage.until(lambda: len(far.data) >= len(expected), "bytes arrive")
    ensure(far.data == expected, "bytes arrived in another order, or others")


@promise
async def delivery_is_never_synchronous(stage: Stage) -> None:
    """`write` delivers nothing to the other end before it returns."""
    near, far = await stage.pair()

    def act() -> list[str]:
        near.stream.write(b"x")
        return list(far.calls)

    ensure(await stage.in_callback(act) == [], "bytes were delivered inside write()")
    await stage.until(lambda: far.data == b"x", "bytes arrive")


@promise
async def a_written_buffer_may_be_reused(stage: Stage) -> None:
    """`write` takes a list whole: the caller may change the list after it."""
    near, far = await stage.pair()
    pieces = [b"a" * 10, b"b"]
    near.stream.write(pieces)
    pieces.clear()
    await stage.until(lambda: far.data == b"a" * 10 + b"b", "bytes arrive")


@promise
async def pressure_is_told(stage: Stage) -> None:
    """Above the high-water mark the writer is told to pause, once; at the low one to go on, once."""
    near, far = await stage.pair()
    far.stream.pause_reading()
    near.stream.limit_writes(64 * 1024, 16 * 1024)
    near.stream.write(b"x" * LARGE)
    await stage.until(lambda: near.calls == ["paused"], "writing_paused() is called")
    ensure(near.stream.unwritten > 64 * 1024, f"unwritten is {near.stream.unwritten} above the high-water mark")
    near.stream.write(b"y")
    await anyio.sleep(0.02)
    ensure(near.calls == ["paused"], f"the calls were {near.calls}")
    far.stream.resume_reading()
    await stage.until(lambda: len(far.data) == LARGE + 1, "everything arrives")
    await stage.until(lambda: near.calls == ["paused", "resumed"], "writing_resumed() is called")
    ensure(near.stream.unwritten == 0, "unwritten is not 0 when everything has arrived")


@promise
async def a_quiet_stream_has_nothing_unwritten(stage: Stage) -> None:
    """`unwritten` is 0 where nothing was written, and falls to 0."""
    near, far = await stage.pair()
    ensure(near.stream.unwritten == 0, "unwritten is not 0 at first")
    near.stream.write(b"x")
    await stage.until(lambda: far.data == b"x" and near.stream.unwritten == 0, "unwritten falls to 0")


@promise
async def reading_can_be_paused(stage: Stage) -> None:
    """While paused nothing is delivered; resumed, everything is, and not inside `resume_reading`."""
    near, far = await stage.pair()
    far.stream.pause_reading()
    far.stream.pause_reading()
    near.stream.write(b"held")
    await anyio.sleep(0.02)
    ensure(far.calls == [], "bytes were delivered to a paused reader")

    def act() -> list[str]:
        far.stream.resume_reading()
        far.stream.resume_reading()
        return list(far.calls)

    ensure(await stage.in_callback(act) == [], "bytes were delivered inside resume_reading()")
    await stage.until(lambda: far.data == b"held", "bytes arrive after the pause")


@promise
async def reading_can_be_paused_inside_received(stage: Stage) -> None:
    """A receiver that pauses gets nothing until it resumes, and then the rest."""
    near, far = await stage.pair()
    far.answer = lambda recorder: recorder.stream.pause_reading()
    near.stream.write(b"1")
    await stage.until(lambda: far.data == b"1", "bytes arrive")
    near.stream.write(b"2")
    await anyio.sleep(0.02)
    ensure(far.data == b"1", "bytes were delivered to a paused reader")
    far.stream.resume_reading()
    await stage.until(lambda: far.data == b"12", "bytes arrive after the pause")


@promise
async def a_receiver_can_be_replaced(stage: Stage) -> None:
    """After a takeover everything goes to the new receiver."""
    near, far = await stage.pair()
    near.stream.write(b"old")
    await stage.until(lambda: far.data == b"old", "bytes arrive")
    heir = Recorder(far.stream)
    near.stream.write(b"new")
    near.stream.write_eof()
    await stage.until(lambda: "ended" in heir.calls, "the new receiver is told of the end of input")
    far.stream.close()
    await stage.until(lambda: "lost" in heir.calls, "the new receiver is told of the end")
    ensure((bytes(heir.data), far.calls) == (b"new", ["received"]), f"{heir.data!r}, {far.calls}")


@promise
async def content_goes_straight_into_an_intake(stage: Stage) -> None:
    """Where a stream fills: bytes go into the intake until it is full; what follows is delivered, in order."""
    near, far = await stage.pair()
    if not far.stream.fills:
        return
    intake = Intake(300_000)
    near.stream.write(b"head")
    await stage.until(lambda: far.data == b"head", "bytes arrive")
    far.stream.receive_into(intake)
    near.stream.write([b"0123456789" * 30_000, b"tail", b"more"])
    await stage.until(lambda: far.data == b"headtailmore", "what follows the content is delivered")
    ensure(far.count == 300_000 and intake.missing == 0, f"{far.count} bytes were told, {intake.missing} are missing")
    ensure(intake.take() == b"0123456789" * 30_000, "the content is another")
    ensure(far.calls == ["received", "filled", "received"], f"the calls were {far.calls}")


@promise
async def an_intake_can_be_taken_away(stage: Stage) -> None:
    """After `receive_into(None)` bytes are delivered again; pauses and the end of input hold for an intake too."""
    near, far = await stage.pair()
    if not far.stream.fills:
        return
    intake = Intake(100)
    far.stream.receive_into(intake)
    near.stream.write(b"a" * 10)
    await stage.until(lambda: intake.filled == 10, "bytes go into the intake")
    far.stream.pause_reading()
    near.stream.write(b"b" * 10)
    await anyio.sleep(0.02)
    ensure(intake.filled == 10, "bytes went into the intake of a paused reader")
    far.stream.receive_into(None)
    far.stream.receive_into(None)
    far.stream.resume_reading()
    near.stream.write_eof()
    await stage.until(lambda: "ended" in far.calls, "the end of input is told")
    ensure(far.data == b"b" * 10 and intake.filled == 10, "bytes went into an intake that was taken away")


@promise
async def files_are_sent_in_their_place(stage: Stage) -> None:
    """Where a stream sends files: the part asked for, between what is written before and after; a short file breaks."""
    near, far = await stage.pair()
    if not near.stream.sends_files:
        return
    with tempfile.TemporaryFile() as file:
        file.write(b"0123456789" * 20_000)
        file.flush()
        near.stream.write(b"before ")
        await near.stream.send_file(file, 10, 150_000)
        near.stream.write(b" after")
        expected = b"before " + b"0123456789" * 15_000 + b" after"
        await stage.until(lambda: len(far.data) >= len(expected), "bytes arrive")
        ensure(far.data == expected, "the file arrived in another place, or another part of it")
        try:
            await near.stream.send_file(file, 199_990, 20)
        except StreamBroken:
            return
    ensure(False, "a file that ended early did not raise StreamBroken")
