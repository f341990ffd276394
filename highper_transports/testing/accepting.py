"""Promises about listening and connecting."""

from __future__ import annotations

import os
import tempfile

import anyio

from ..errors import BindingInvalid, ConnectFailed
from ..sockets import Binding
from ..stream import Stream
from .stage import PROMISES, Recorder, Stage, ensure, promise

__all__ = ["PROMISES"]


@promise
async def port_0_is_a_free_port(stage: Stage) -> None:
    """Listening at port 0 takes a free port and tells it."""
    first = await stage.listen(Recorder)
    second = await stage.listen(Recorder)
    for listener in (first, second):
        ensure(isinstance(listener.address, tuple) and listener.address[1] > 0, f"the address is {listener.address!r}")
    ensure(first.address != second.address, "two listeners got one address")


@promise
async def both_ends_know_their_addresses(stage: Stage) -> None:
    """`peer` and `local` of the ends of a stream mirror each other; the scheme is http, no protocol was negotiated."""
    near, far = await stage.pair()
    ensure(near.stream.peer == far.stream.local, f"{near.stream.peer!r} is not {far.stream.local!r}")
    ensure(near.stream.local == far.stream.peer, f"{near.stream.local!r} is not {far.stream.peer!r}")
    ensure(near.stream.transport is stage.transport, "a stream belongs to another transport")
    ensure((near.stream.scheme, near.stream.alpn) == ("http", None), "a plain stream is not plain")


@promise
async def unix_sockets_are_addresses_too(stage: Stage) -> None:
    """A path can be listened at and connected to."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "s")
        near, far = await stage.pair(path=path)
        ensure(stage.listeners[-1].address == path, f"the address is {stage.listeners[-1].address!r}")
        near.stream.write(b"by path")
        await stage.until(lambda: far.data == b"by path", "bytes arrive")
        stage.listeners[-1].close()
        ensure(not os.path.exists(path), "the socket's file was left behind")


@promise
async def opened_comes_before_bytes(stage: Stage) -> None:
    """Whoever waits for streams is told of one before its first byte, and may answer at once."""
    order: list[str] = []

    def opened(stream: Stream) -> None:
        order.append("opened")
        stage.streams.append(stream)
        Recorder(stream, lambda recorder: order.append(recorder.calls[-1]))
        stream.write(b"welcome")

    listener = await stage.listen(opened)
    near: list[Recorder] = []

    def connected(stream: Stream) -> None:
        near.append(Recorder(stream))
        stream.write(b"at once")

    await stage.connect(listener.address, connected)
    await stage.until(lambda: "received" in order and near[0].data == b"welcome", "bytes arrive")
    ensure(order[0] == "opened", f"the order was {order}")


@promise
async def connecting_to_nobody_fails(stage: Stage) -> None:
    """Where nobody listens any more, connecting raises ConnectFailed."""
    listener = await stage.listen(Recorder)
    listener.close()
    await anyio.sleep(0.01)
    try:
        await stage.connect(listener.address, Recorder)
    except ConnectFailed:
        return
    ensure(False, "connecting to nobody did not raise ConnectFailed")


@promise
async def an_address_is_listened_at_once(stage: Stage) -> None:
    """A taken address is refused with BindingInvalid."""
    listener = await stage.listen(Recorder)
    try:
        again = await stage.transport.listen(Binding(host=stage.options.host, port=listener.address[1]), Recorder)
    except BindingInvalid:
        return
    again.close()
    ensure(False, "one address was listened at twice")


@promise
async def closing_a_listener_leaves_its_streams(stage: Stage) -> None:
    """`IListener.close` is idempotent and stops accepting only."""
    near, far = await stage.pair()
    listener = stage.listeners[-1]
    listener.close()
    listener.close()
    await anyio.sleep(0.01)
    near.stream.write(b"still here")
    await stage.until(lambda: far.data == b"still here", "a stream outlives its listener")
    far.stream.write(b"so am I")
    await stage.until(lambda: near.data == b"so am I", "a stream outlives its listener")


@promise
async def streams_do_not_mix(stage: Stage) -> None:
    """Many streams at once: each end gets the bytes of its other end."""
    listener = await stage.listen(
        lambda stream: Recorder(stream, lambda recorder: _echo(recorder) if recorder.calls[-1] == "received" else None)
    )
    near: list[Recorder] = []
    for _ in range(30):
        await stage.connect(listener.address, lambda stream: near.append(Recorder(stream)))
    expected = [b"".join(b"%d.%d;" % (number, part) for part in range(20)) for number in range(30)]
    for part in range(20):
        for number, recorder in enumerate(near):
            recorder.stream.write(b"%d.%d;" % (number, part))
        await anyio.sleep(0)
    await stage.until(lambda: [bytes(recorder.data) for recorder in near] == expected, "each gets its own bytes")


def _echo(recorder: Recorder) -> None:
    data = bytes(recorder.data)
    recorder.data.clear()
    recorder.stream.write(data)


@promise
async def tls_streams_are_streams(stage: Stage) -> None:
    """With TLS the scheme is https, the protocol is negotiated, and bytes travel both ways."""
    if stage.options.tls is None:
        return
    near, far = await stage.pair(host=stage.options.host, tls=stage.options.tls[0])
    ensure((far.stream.scheme, far.stream.alpn) == ("https", "http/1.1"), f"{far.stream.scheme} {far.stream.alpn}")
    ensure(not far.stream.sends_files, "a TLS stream offers to send files")
    near.stream.write([b"a" * 100_000, b"b"])
    far.stream.write(b"c")
    await stage.until(lambda: far.data == b"a" * 100_000 + b"b" and near.data == b"c", "bytes arrive")
    far.stream.close()
    await stage.until(lambda: "lost" in far.calls and bool({"ended", "lost"} & set(near.calls)), "the end is seen")
