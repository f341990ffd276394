"""TLS over sockets of our own: handshakes, on either side, and what a peer can do to them."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from collections.abc import Callable

import pytest
from support.tls_peer import TlsPeer, secured
from transports.secure_site import Site, needs_epoll, play

from highper_transports.errors import ConnectFailed
from highper_transports.stream import Stream
from highper_transports.testing import Recorder
from highper_transports.tls import TLS

__all__ = ["play", "secured"]

pytestmark = needs_epoll


# The handshake


def test_a_stream_is_announced_when_its_handshake_is_done(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peer = await TlsPeer.reach(site.address, site.client)
        last = await peer.handshake()
        await asyncio.sleep(0.02)
        assert site.calls == []
        await peer.send(last)
        await site.until(lambda: site.calls == ["opened"])
        assert site.made[0].stream.alpn == "http/1.1" == peer.tls.selected_alpn_protocol()
        assert site.made[0].stream.scheme == "https"
        peer.close()

    play(scene, receives=True)


def test_a_handshake_may_come_byte_by_byte(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peer = await TlsPeer.reach(site.address, site.client)
        peer.wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        whole = peer.send

        async def drip(data: bytes) -> None:
            for byte in data:
                await whole(bytes([byte]))
                await asyncio.sleep(0)

        peer.send = drip  # type: ignore[method-assign]
        await peer.send(await peer.handshake())
        await peer.write(b"question")
        await site.until(lambda: bool(site.made) and site.made[0].data == b"question")
        peer.close()

    play(scene)


def test_what_comes_with_the_end_of_the_handshake_wakes_the_stream(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peer = await TlsPeer.reach(site.address, site.client)
        await peer.send(await peer.handshake() + peer.sealed(b"early") + peer.sealed(b" bird"))
        await site.until(lambda: bool(site.made) and site.made[0].data == b"early bird")
        assert site.calls == ["opened", "wake"]
        site.made[0].stream.write(b"worm")
        assert await peer.read_exactly(4) == b"worm"
        peer.close()

    play(scene)


def test_a_peer_that_says_everything_at_once_is_heard_to_the_end(play: Callable[..., None]) -> None:
    """The end of the handshake, content and farewell in one segment; the stream rests in between."""

    async def scene(site: Site) -> None:
        peer = await TlsPeer.reach(site.address, site.client)
        last = await peer.handshake() + peer.sealed(b"all") + peer.farewell()
        await peer.send(last)
        await site.until(lambda: bool(site.made) and site.made[0].calls == ["received", "ended"])
        site.made[0].stream.write(b"answer")
        site.made[0].stream.close()
        assert await peer.read() == b"answer"
        assert await peer.read() == b""
        await site.until(lambda: site.calls == ["opened", "wake", "lost"])
        peer.close()

    play(scene)


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", bytes(5000)])
def test_who_does_not_speak_tls_is_sent_away(play: Callable[..., None], said: bytes) -> None:
    async def scene(site: Site) -> None:
        peer = await TlsPeer.reach(site.address, site.client)
        await peer.send(said)
        await site.until(lambda: site.open == 0)
        assert site.calls == []
        peer.close()

    play(scene)


@pytest.mark.parametrize("flights", [0, 1])
def test_a_handshake_has_a_deadline(play: Callable[..., None], flights: int) -> None:
    async def scene(site: Site) -> None:
        peer = await TlsPeer.reach(site.address, site.client)
        if flights:
            await peer.handshake()
        await site.until(lambda: site.open == 1)
        before = site.transport.now()
        await site.until(lambda: site.open == 0)
        assert site.transport.now() - before > 0.1
        assert site.calls == []
        assert len(site.transport.timers) == 0
        peer.close()

    play(scene, handshake_timeout=0.3)


def test_a_peer_that_leaves_during_its_handshake_leaves_nothing(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        for said in (False, True):
            peer = await TlsPeer.reach(site.address, site.client)
            if said:
                await peer.handshake()
            peer.close()
            await site.until(lambda: site.open == 0)
        assert site.calls == []

    play(scene)


def test_the_server_hears_which_name_is_meant(play: Callable[..., None]) -> None:
    names: list[str | None] = []

    async def scene(site: Site) -> None:
        context = site.server.context
        context.sni_callback = lambda tls, name, context: names.append(name)
        try:
            peer = await TlsPeer.reach(site.address, TLS(ssl._create_unverified_context()))
            peer.tls = ssl._create_unverified_context().wrap_bio(
                peer.incoming, peer.outgoing, server_hostname="somebody.example"
            )
            await peer.send(await peer.handshake())
            await site.until(lambda: site.calls == ["opened"])
            peer.close()
        finally:
            context.sni_callback = None

    play(scene)
    assert names == ["somebody.example"]


# What others do


async def openssl(site: Site, script: str, *options: str) -> bytes:
    """Return what openssl's client says while it is told the lines of `script`, one in a while."""
    command = shutil.which("openssl")
    if command is None:
        pytest.skip("openssl is not installed")
    place = "{}:{}".format(*site.address)
    client = await asyncio.create_subprocess_exec(
        *(command, "s_client", "-connect", place, "-msg", *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert client.stdin is not None
    await site.until(lambda: bool(site.made))
    for line in script.splitlines():
        client.stdin.write(line.encode() + b"\n")
        await asyncio.sleep(0.2)
    client.stdin.close()
    said, _ = await client.communicate()
    return said


def test_nobody_renegotiates(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        said = await openssl(site, "R\nhello", "-tls1_2")
        assert b"no renegotiation" in said
        assert b"hello" not in site.made[0].data

    play(scene, receives=True)


def test_keys_may_be_updated(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        said = await openssl(site, "before\nK\nk\nK\nafter", "-tls1_3")
        assert said.count(b"KEYUPDATE") == 3
        await site.until(lambda: site.made[0].data == b"before\nafter\n")

    play(scene, receives=True)


# Connecting


def test_who_cannot_be_trusted_is_not_connected_to(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        stranger = TLS(ssl.create_default_context(), server_hostname="127.0.0.1")
        with pytest.raises(ConnectFailed, match=r"(?i)certificate"):
            await site.transport.connect(site.address, Recorder, tls=stranger)
        named = TLS(site.client.context, server_hostname="another.example")
        with pytest.raises(ConnectFailed, match=r"(?i)mismatch"):
            await site.transport.connect(site.address, Recorder, tls=named)
        await site.until(lambda: site.open == 0)

    play(scene)


def test_who_does_not_answer_a_greeting_is_given_up(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        with socket.socket() as mute:
            mute.bind(("127.0.0.1", 0))
            mute.listen()
            impatient = TLS(site.client.context, 0.2, "127.0.0.1")
            with pytest.raises(ConnectFailed, match="too long"):
                await site.transport.connect(mute.getsockname(), Recorder, tls=impatient)
            waiting = asyncio.ensure_future(site.transport.connect(mute.getsockname(), Recorder, tls=site.client))
            await asyncio.sleep(0.02)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        await site.until(lambda: site.open == 0)
        assert len(site.transport.timers) == 0

    play(scene)


def test_what_is_said_when_a_stream_is_opened_reaches_its_opener(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        def refuse(stream: Stream) -> None:
            raise LookupError("not this one")

        with pytest.raises(LookupError, match="not this one"):
            await site.transport.connect(site.address, refuse, tls=site.client)
        await site.until(lambda: site.open == 0)

    play(scene, receives=True)
