"""TLS over sockets of our own: the handshake, rest, half-closes, and what a peer can do to it."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.tls_peer import TlsPeer, certificates

from highper_transports.asyncio import AsyncioTransport
from highper_transports.epoll import EpollTransport
from highper_transports.errors import ConnectFailed
from highper_transports.intake import Intake
from highper_transports.sockets import Binding
from highper_transports.stream import Receiver, Stream
from highper_transports.testing import Recorder
from highper_transports.tls import TLS

pytestmark = pytest.mark.skipif(EpollTransport.unavailable() is not None, reason="epoll is not here")

Play = Callable[["Site"], Awaitable[None]]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[TLS, TLS]:
    return certificates(tmp_path_factory.mktemp("tls"))


class Site:
    """Listens with TLS. Streams rest when they are opened, unless `receives`."""

    def __init__(self, transport: Any, tls: tuple[TLS, TLS], *, receives: bool = False, deadline: float = math.inf):
        self.transport = transport
        self.server, self.client = tls
        self.receives = receives
        self.deadline = deadline
        self.calls: list[str] = []
        self.made: list[Recorder] = []

    def opened(self, stream: Stream) -> None:
        self.calls.append("opened")
        if self.receives:
            self.made.append(Recorder(stream))
        else:
            stream.owner = self
            stream.rest(self.transport.now() + self.deadline)

    def wake(self, stream: Stream) -> Receiver:
        self.calls.append("wake")
        self.made.append(Recorder(stream))
        return self.made[-1]

    def lost(self, stream: Stream) -> None:
        self.calls.append("lost")

    def lost_at_rest(self, count: int) -> None:
        self.calls.append("lost at rest")

    async def peer(self) -> TlsPeer:
        """Return a peer whose handshake is done."""
        count = len(self.calls)
        peer = await TlsPeer.connected(self.address, self.client)
        await self.until(lambda: len(self.calls) > count)
        return peer

    async def until(self, predicate: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not predicate():
                await asyncio.sleep(0.001)

    @property
    def open(self) -> int:
        return int(self.transport.poller.statistics()["open"])


@asynccontextmanager
async def listening(site: Site, **changes: Any) -> AsyncIterator[Site]:
    server = TLS(site.server.context, **changes) if changes else site.server
    listener = await site.transport.listen(Binding(host="127.0.0.1", tls=server), site.opened)
    site.address = listener.address
    try:
        yield site
    finally:
        listener.close()
        site.transport.rest.abort(site)
        for recorder in site.made:
            recorder.stream.abort()
        await site.until(lambda: site.open == 0)


class Embedded(EpollTransport):
    """The same in a loop that is asyncio's own."""

    @classmethod
    def new_loop(cls) -> asyncio.AbstractEventLoop:
        return AsyncioTransport.new_loop()


@pytest.fixture(params=[EpollTransport, Embedded], ids=["own-loop", "embedded"])
def play(request: pytest.FixtureRequest, tls: tuple[TLS, TLS]) -> Callable[..., None]:
    """Run a scene on a site; whatever reached the loop's exception handler is a failure."""

    def run(scene: Play, *, receives: bool = False, deadline: float = math.inf, **changes: Any) -> None:
        reported: list[dict[str, Any]] = []

        async def main(transport: Any) -> None:
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
            async with listening(Site(transport, tls, receives=receives, deadline=deadline), **changes) as site:
                await scene(site)

        request.param.run(main)
        assert reported == []

    return run


def secured_objects() -> list[Any]:
    """Return the streams and sessions there are."""
    ours = ("highper_transports.epoll._secure", "highper_transports.epoll._session")
    return [item for item in gc.get_objects() if type(item).__module__ in ours]


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


# Content


def test_content_may_be_cut_anywhere(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        sealed = b"".join(peer.sealed(bytes([number]) * 700) for number in range(20))
        for begin in range(0, len(sealed), 101):
            await peer.send(sealed[begin : begin + 101])
            await asyncio.sleep(0)
        await site.until(lambda: len(b"".join(bytes(made.data) for made in site.made)) == 14_000)
        assert b"".join(bytes(made.data) for made in site.made) == b"".join(bytes([n]) * 700 for n in range(20))
        peer.close()

    play(scene)


def test_a_slow_reader_is_pressure_and_gets_everything(play: Callable[..., None]) -> None:
    content = os.urandom(1 << 20) * 8

    async def scene(site: Site) -> None:
        peer = await site.peer()
        near = site.made[0]
        near.stream.limit_writes(65536, 16384)
        for begin in range(0, len(content), 1 << 20):
            near.stream.write(content[begin : begin + (1 << 20)])
        assert near.calls == ["paused"]
        assert near.stream.unwritten > 65536
        assert await peer.read_exactly(len(content)) == content
        await site.until(lambda: near.calls == ["paused", "resumed"])
        assert near.stream.unwritten == 0
        near.stream.write([b"a", b"", b"b" * 10_000, b"c", b"d" * 3])
        assert await peer.read_exactly(10_005) == b"a" + b"b" * 10_000 + b"cddd"
        peer.close()

    play(scene, receives=True)


def test_large_content_comes_whole(play: Callable[..., None]) -> None:
    content = os.urandom(3_000_000)

    async def scene(site: Site) -> None:
        peer = await site.peer()
        await peer.write(content)
        await site.until(lambda: len(site.made[0].data) == len(content))
        assert site.made[0].data == content
        peer.close()

    play(scene, receives=True)


def test_an_intake_takes_content_and_not_a_byte_more(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        near = site.made[0]
        intake = Intake(100_000)
        near.stream.receive_into(intake)
        near.answer = lambda recorder: recorder.stream.pause_reading() if not intake.missing else None
        await peer.write(b"0123456789" * 10_000 + b"tail")
        await site.until(lambda: intake.missing == 0)
        await asyncio.sleep(0.02)
        assert (near.calls, near.count) == (["filled"], 100_000)
        near.answer = None
        near.stream.resume_reading()
        assert near.calls == ["filled"]
        await site.until(lambda: near.data == b"tail")
        assert intake.take() == b"0123456789" * 10_000
        peer.close()

    play(scene, receives=True)


def test_the_end_waits_for_a_reader_that_pauses_where_it_is_told_the_last_bytes(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        near = site.made[0]
        near.answer = lambda recorder: recorder.stream.pause_reading()
        await peer.send(peer.sealed(b"last") + peer.farewell())
        await site.until(lambda: near.data == b"last")
        await asyncio.sleep(0.02)
        assert near.calls == ["received"]
        near.answer = None
        near.stream.resume_reading()
        await site.until(lambda: near.calls == ["received", "ended"])
        peer.close()

    play(scene, receives=True)


def test_who_fails_on_an_end_that_waited_is_ended(play: Callable[..., None]) -> None:
    """As it is for what is told at once."""
    told: list[str] = []

    class Failing(Receiver):
        def ended(self) -> None:
            raise ValueError("at the end")

        def lost(self, error: BaseException | None) -> None:
            told.append(f"lost: {error}")

    async def scene(site: Site) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(str(context["exception"])))
        peer = await site.peer()
        near = site.made[0]
        near.answer = lambda recorder: recorder.stream.pause_reading()
        await peer.send(peer.sealed(b"last") + peer.farewell())
        await site.until(lambda: near.data == b"last")
        near.stream.receiver = Failing()
        near.stream.resume_reading()
        await site.until(lambda: told == ["at the end", "lost: at the end"])
        peer.close()

    play(scene, receives=True)


# Ends


def test_a_farewell_is_half_a_close(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        near = site.made[0]
        await peer.send(peer.sealed(b"question") + peer.farewell())
        await site.until(lambda: near.calls == ["received", "ended"])
        near.stream.write(b"answer")
        near.stream.close()
        assert await peer.read_exactly(6) == b"answer"
        assert await peer.read() == b""
        await site.until(lambda: near.calls == ["received", "ended", "lost"])
        assert near.error is None
        peer.close()

    play(scene, receives=True)


def test_our_end_leaves_the_other_direction(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        near = site.made[0]
        near.stream.write(b"x" * 200_000)
        near.stream.write_eof()
        near.stream.write(b"too late")
        near.stream.write_eof()
        assert await peer.read_exactly(200_000) == b"x" * 200_000
        assert await peer.read() == b""
        await peer.write(b"still here")
        await site.until(lambda: near.data == b"still here")
        near.stream.close()
        await site.until(lambda: near.calls == ["received", "lost"])
        peer.close()

    play(scene, receives=True)


def test_an_end_without_farewell_is_a_truncation(play: Callable[..., None]) -> None:
    """Anybody on the way can end a socket: it is no end of input, and nothing is written to who may be nobody."""

    async def scene(site: Site) -> None:
        peer = await site.peer()
        near = site.made[0]
        await peer.write(b"half of somethi")
        peer.wire.shutdown(socket.SHUT_WR)
        await site.until(lambda: near.calls == ["received", "lost"])
        assert isinstance(near.error, ConnectionResetError)
        peer.close()

    play(scene, receives=True)


@pytest.mark.parametrize("awake", [False, True])
def test_a_spoiled_record_ends_the_stream(play: Callable[..., None], awake: bool) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        sealed = bytearray(peer.sealed(b"content"))
        sealed[-1] ^= 1
        await peer.send(bytes(sealed))
        if awake:
            near = site.made[0]
            await site.until(lambda: near.calls == ["lost"])
            assert isinstance(near.error, ssl.SSLError)
        else:
            await site.until(lambda: site.calls == ["opened", "lost at rest"])
        with pytest.raises(ssl.SSLError, match=r"(?i)bad.record.mac"):
            await peer.read()
        peer.close()

    play(scene, receives=awake)


# Rest


def test_a_secured_stream_at_rest_is_no_object(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peers = [await site.peer() for _ in range(5)]
        for _ in range(2):
            site.made.clear()
            for peer in peers:
                await peer.write(b"question")
            await site.until(lambda: len(site.made) == 5 and all(made.data for made in site.made))
            for made in site.made:
                made.stream.write(b"answer")
                made.stream.rest(math.inf)
            assert [await peer.read_exactly(6) for peer in peers] == [b"answer"] * 5
        site.made.clear()
        del made
        gc.collect()
        assert site.transport.poller.statistics()["resting"] == 5
        assert [type(item).__name__ for item in secured_objects()] == ["Session"] * 5
        for peer in peers:
            peer.close()

    play(scene)


def test_half_a_record_wakes_nobody(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        sealed = peer.sealed(b"question")
        await peer.send(sealed[:-1])
        await asyncio.sleep(0.02)
        assert site.calls == ["opened"]
        await peer.send(sealed[-1:])
        await site.until(lambda: bool(site.made) and site.made[0].data == b"question")
        peer.close()

    play(scene)


@pytest.mark.parametrize("end", ["farewell", "shutdown", "reset"])
def test_who_leaves_at_rest_wakes_nobody(play: Callable[..., None], end: str) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        if end == "farewell":
            await peer.send(peer.farewell())
            assert await peer.read() == b""
        elif end == "shutdown":
            peer.wire.shutdown(socket.SHUT_WR)
        else:
            peer.wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            peer.close()
        await site.until(lambda: site.calls == ["opened", "lost at rest"])
        assert site.open == 0
        peer.close()

    play(scene)


def test_a_rest_that_ends_says_farewell(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        assert await peer.read() == b""
        assert site.calls == ["opened", "lost at rest"]
        peer.close()

    play(scene, deadline=0.2)


def test_those_at_rest_are_told_farewell_when_they_are_closed(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        peer = await site.peer()
        site.transport.rest.close(site)
        assert await peer.read() == b""
        await site.until(lambda: site.calls == ["opened", "lost at rest"])
        peer.close()

    play(scene)


def test_nothing_of_a_stream_that_is_gone_is_left(play: Callable[..., None]) -> None:
    async def scene(site: Site) -> None:
        for number in range(30):
            peer = await site.peer()
            if number % 3:
                await peer.write(b"question")
                await site.until(lambda: bool(site.made))
                site.made.pop().stream.rest(math.inf)
            if number % 2:
                await peer.send(peer.farewell())
            peer.close()
        await site.until(lambda: site.open == 0)
        gc.collect()
        assert secured_objects() == []

    play(scene)


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
