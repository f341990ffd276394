"""A client's WebSocket: opened once, or again and again, against a server that is played by hand."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support.websocket_peer import Play, ServerByHand, head_of, played

from highper_core.errors import Fault, HandshakeError, LocalProtocolError, RemoteProtocolError
from highper_core.events import CloseConnection, Ping, Pong
from highper_core.limits import Limits
from highper_core.permessage_deflate import DeflateSettings
from highper_http.errors import WebSocketClosed
from highper_http.websocket.backoff import Backoff
from highper_http.websocket.connecting import connect
from highper_http.websocket.denied import WebSocketDenied
from highper_http.websocket.masks import Masks
from highper_http.websocket.settings import SocketSettings
from highper_transports.errors import ConnectFailed, TunnelRefused
from highper_transports.memory import MemoryTransport, Peer
from highper_transports.sockets import Binding

Main = Callable[[MemoryTransport], Coroutine[Any, Any, None]]


def run(main: Main) -> None:
    """Run in virtual time, of which an hour is taken for a hang."""

    async def bounded(transport: MemoryTransport) -> None:
        async with asyncio.timeout(3600):
            await main(transport)
        await asyncio.sleep(60)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    MemoryTransport.run(bounded)


EXTENSION = (
    "sec-websocket-extensions: permessage-deflate; "
    "server_no_context_takeover; client_no_context_takeover; client_max_window_bits=10"
)


async def echo(server: ServerByHand) -> None:
    await server.accept()
    while not isinstance(message := await server.receive(), CloseConnection):
        if isinstance(message, str | bytes):
            server.send(message)
    server.peer.close()


def answering(answer: bytes, *, close: bool = False) -> Play:
    """Answer the opening handshake with these bytes."""

    async def play(server: ServerByHand) -> None:
        server.request = await head_of(server.peer)
        server.peer.send(answer)
        if close:
            server.peer.close()

    return play


class TestOpening:
    """What is asked, and how an answer is taken."""

    def test_messages_go_both_ways_and_the_end_is_agreed_on(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async with played(transport, echo) as (url, servers):
                async with connect(url + "/room?x=1", transport=transport) as socket:
                    for message in ("a", b"b", "", b"", "\u20ac" * 1000, b"c" * 200_000):
                        if isinstance(message, str):
                            await socket.send_text(message)
                        else:
                            await socket.send_bytes(message)
                        assert await socket.receive() == message
                assert socket.close_code == 1000
                assert servers[0].request[""] == "GET /room?x=1 HTTP/1.1"
                with pytest.raises(WebSocketClosed):
                    await socket.send_text("late")

        run(main)

    def test_what_was_asked_for_is_said(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async def play(server: ServerByHand) -> None:
                await server.accept("sec-websocket-protocol: soup")
                await server.end()

            async with played(transport, play) as (url, servers):
                opening = connect(
                    url.replace("ws://", "ws://user:secret@"),
                    subprotocols=["chat", "soup"],
                    headers={"X-One": "1", "cookie": "a=b"},
                    origin="https://site.example",
                    transport=transport,
                )
                async with opening as socket:
                    assert socket.subprotocol == "soup"
            said = servers[0].request
            assert said["sec-websocket-protocol"] == "chat, soup"
            assert said["x-one"] == "1"
            assert said["cookie"] == "a=b"
            assert said["origin"] == "https://site.example"
            assert said["authorization"] == "Basic dXNlcjpzZWNyZXQ="
            assert said["host"] == url.removeprefix("ws://")
            assert "sec-websocket-extensions" not in said

        run(main)

    def test_a_key_is_used_once(self) -> None:
        """RFC 6455 section 4.1: a nonce, selected randomly for each connection."""

        async def main(transport: MemoryTransport) -> None:
            async with played(transport, echo) as (url, servers):
                for _ in range(3):
                    async with connect(url, transport=transport):
                        pass
                assert len({server.request["sec-websocket-key"] for server in servers}) == 3

        run(main)

    def test_messages_behind_the_answer_are_received(self) -> None:
        """The server speaks in the same segment as its 101, and ends."""

        async def main(transport: MemoryTransport) -> None:
            async def play(server: ServerByHand) -> None:
                proof = await server.read_opening()
                server.switch(proof, behind=b"\x81\x05hello\x82\x01\x00\x88\x02\x03\xe9")
                server.peer.half_close()

            async with played(transport, play) as (url, _), connect(url, transport=transport) as socket:
                assert [message async for message in socket] == ["hello", b"\0"]
                assert socket.close_code == 1001

        run(main)

    def test_an_interim_answer_decides_nothing(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async def play(server: ServerByHand) -> None:
                proof = await server.read_opening()
                server.peer.send(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
                await asyncio.sleep(1)
                server.switch(proof)
                await server.end()

            async with played(transport, play) as (url, _), connect(url, transport=transport) as socket:
                assert [message async for message in socket] == []

        run(main)

    def test_compression_is_agreed_on_where_both_want_it(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async def agree(server: ServerByHand) -> None:
                await server.accept(EXTENSION)
                # `hello` from RFC 7692 section 7.2.3.1
                server.peer.send(bytes.fromhex("c107f248cdc9c90700"))
                await server.peer.receive()
                server.peer.close()

            async with played(transport, agree, echo) as (url, servers):
                for expected in (10, None):
                    async with connect(url, deflate=DeflateSettings(), transport=transport) as socket:
                        assert socket.window_bits == expected
                        if expected:
                            assert await socket.receive() == "Hello"
                assert servers[1].request["sec-websocket-extensions"].startswith("permessage-deflate")

        run(main)


def test_masking_keys_are_never_the_same_bytes_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every byte of the system's randomness is used once at most, and by one WebSocket."""
    drawn = bytearray()

    def draw(count: int) -> bytes:
        piece = (len(drawn) // 4 + 1).to_bytes(4, "big")
        pieces = b"".join(
            (int.from_bytes(piece, "big") + number).to_bytes(4, "big") for number in range(-(-count // 4))
        )
        drawn.extend(pieces)
        return pieces[:count]

    monkeypatch.setattr("os.urandom", draw)
    sources = [Masks(), Masks()]
    keys = [source(4) for _ in range(1000) for source in sources]
    assert len(set(keys)) == 2000
    assert [len(sources[0](count)) for count in (0, 1, 3, 1000, 4)] == [0, 1, 3, 1000, 4]


class TestDenial:
    """Answers that open nothing."""

    def test_a_denial_is_told_with_its_content(self) -> None:
        answer = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 12\r\nx-why: age\r\n\r\nnot old enou"

        async def main(transport: MemoryTransport) -> None:
            async with played(transport, answering(answer)) as (url, servers):
                with pytest.raises(WebSocketDenied) as caught:
                    async with connect(url, transport=transport):
                        pass
                assert caught.value.status == 403
                assert caught.value.headers["x-why"] == "age"
                assert caught.value.content == b"not old enou"
                await asyncio.sleep(1)
                assert servers[0].peer.is_gone

        run(main)

    def test_the_content_of_a_denial_is_bounded(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async def play(server: ServerByHand) -> None:
                await server.read_opening()
                server.peer.send(b"HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\n")
                while True:
                    server.peer.send(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
                    await asyncio.sleep(0.01)

            async with played(transport, play) as (url, _):
                with pytest.raises(WebSocketDenied) as caught:
                    async with connect(url, transport=transport):
                        pass
                assert len(caught.value.content) == 64 * 1024

        run(main)

    @pytest.mark.parametrize(
        ("lines", "fault"),
        [
            (["sec-websocket-accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA="], Fault.HANDSHAKE_ACCEPT_INVALID),
            ([], Fault.HANDSHAKE_ACCEPT_INVALID),
            (["sec-websocket-accept: {proof}", "sec-websocket-protocol: other"], Fault.HANDSHAKE_SUBPROTOCOL_INVALID),
            (["sec-websocket-accept: {proof}", "sec-websocket-protocol: a,b"], Fault.HANDSHAKE_SUBPROTOCOL_INVALID),
            (["sec-websocket-accept: {proof}", "sec-websocket-extensions: x"], Fault.HANDSHAKE_EXTENSION_INVALID),
            (
                ["sec-websocket-accept: {proof}", "sec-websocket-extensions: permessage-deflate"],
                Fault.HANDSHAKE_EXTENSION_INVALID,
            ),
        ],
    )
    def test_an_acceptance_of_what_was_not_asked_is_refused(self, lines: list[str], fault: Fault) -> None:
        """And the stream is closed: RFC 6455 section 4.1."""

        async def main(transport: MemoryTransport) -> None:
            async def play(server: ServerByHand) -> None:
                proof = (await server.read_opening()).decode()
                head = ["HTTP/1.1 101 Yes", "upgrade: websocket", "connection: upgrade"]
                head += [line.format(proof=proof) for line in lines]
                server.peer.send("\r\n".join([*head, "", ""]).encode() + b"\x81\x01a")
                assert await server.peer.receive_all() == b""

            async with played(transport, play) as (url, servers):
                with pytest.raises(HandshakeError) as caught:
                    async with connect(url, subprotocols=["a", "b"], transport=transport):
                        pass
                assert caught.value.fault is fault
                await asyncio.sleep(1)
                assert servers[0].peer.is_gone

        run(main)

    @pytest.mark.parametrize(
        "answer",
        [
            b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
            b"HTTP/1.1 101 Yes\nupgrade: websocket\n\n",
            b"HTTP/1.1 101 Yes\r\nupgrade: websocket\r\nx: \0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\na",
            b"HTTP/1.1 101 " + b"y" * 70_000,
        ],
    )
    def test_an_answer_that_is_no_http_is_told(self, answer: bytes) -> None:
        async def main(transport: MemoryTransport) -> None:
            async with played(transport, answering(answer)) as (url, _):
                with pytest.raises(RemoteProtocolError):
                    async with connect(url, transport=transport):
                        pass

        run(main)

    @pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 Sw", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
    def test_a_server_that_ends_without_an_answer_was_not_reached(self, answer: bytes) -> None:
        async def main(transport: MemoryTransport) -> None:
            async with played(transport, answering(answer, close=True)) as (url, _):
                with pytest.raises(ConnectFailed):
                    async with connect(url, transport=transport):
                        pass

        run(main)

    def test_nobody_there_is_told(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            with pytest.raises(ConnectFailed):
                async with connect("ws://nobody.example", transport=transport):
                    pass

        run(main)


class TestPatience:
    """The opening has one deadline, whatever it consists of."""

    @pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 Sw", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
    @pytest.mark.parametrize(("options", "seconds"), [({}, 10), ({"timeout": 3}, 3)])
    def test_a_silent_server_is_given_up(self, answer: bytes, options: dict[str, Any], seconds: float) -> None:
        async def main(transport: MemoryTransport) -> None:
            async with played(transport, answering(answer)) as (url, servers):
                began = transport.now()
                with pytest.raises(ConnectFailed, match=f"within {seconds} s"):
                    async with connect(url, transport=transport, **options):
                        pass
                assert transport.now() - began == pytest.approx(seconds, abs=0.1)
                await asyncio.sleep(1)
                assert servers[0].peer.is_gone

        run(main)

    def test_an_opening_that_is_cancelled_leaves_nothing(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async with played(transport, answering(b"")) as (url, servers):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(connect(url, transport=transport).open(), 1)
                await asyncio.sleep(1)
                assert servers[0].peer.is_gone

        run(main)


class TestEnd:
    """How an open one ends."""

    def test_leaving_the_block_closes_also_by_an_error(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            ends = []

            async def play(server: ServerByHand) -> None:
                await server.accept()
                ends.append(await server.receive())
                server.peer.close()

            async with played(transport, play) as (url, _):
                with pytest.raises(KeyError):
                    async with connect(url, transport=transport):
                        raise KeyError
            assert isinstance(ends[0], CloseConnection)

        run(main)

    def test_a_server_that_does_not_answer_our_close_is_left(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async def play(server: ServerByHand) -> None:
                await server.accept()
                await asyncio.sleep(100)

            async with played(transport, play) as (url, servers):
                async with connect(url, limits=Limits(websocket_close_timeout=7), transport=transport):
                    began = transport.now()
                assert transport.now() - began == pytest.approx(7, abs=0.5)
                await asyncio.sleep(1)
                assert servers[0].peer.has_ended

        run(main)

    def test_a_vanished_server_is_told(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async def play(server: ServerByHand) -> None:
                await server.accept(behind=b"\x81\x01a")
                await asyncio.sleep(1)
                server.peer.reset()

            async with played(transport, play) as (url, _), connect(url, transport=transport) as socket:
                assert await socket.receive() == "a"
                with pytest.raises(WebSocketClosed) as caught:
                    await socket.receive()
                assert caught.value.code == 1006

        run(main)

    def test_a_server_that_masks_is_closed_with_a_protocol_error(self) -> None:
        """RFC 6455 section 5.1: a client closes a connection if it detects a masked frame."""

        async def main(transport: MemoryTransport) -> None:
            ends: list[Any] = []

            async def play(server: ServerByHand) -> None:
                await server.accept(behind=b"\x81\x81\0\0\0\0a")
                ends.append(await server.receive())
                server.peer.close()

            async with played(transport, play) as (url, _), connect(url, transport=transport) as socket:
                with pytest.raises(WebSocketClosed) as caught:
                    await socket.receive()
                assert caught.value.code == 1002
            assert ends[0].code == 1002

        run(main)

    def test_a_silent_server_is_asked_and_left(self) -> None:
        """After 20 s of silence a Ping, after 20 s more the end."""

        async def main(transport: MemoryTransport) -> None:
            heard: list[tuple[int, int]] = []

            async def play(server: ServerByHand) -> None:
                await server.accept()
                began = transport.now()
                while data := await server.peer.receive():
                    heard.append((round(transport.now() - began), data[0]))

            async with played(transport, play) as (url, _), connect(url, transport=transport) as socket:
                with pytest.raises(WebSocketClosed) as caught:
                    await socket.receive()
                assert caught.value.code == 1011
            assert heard[:2] == [(20, 0x89), (40, 0x88)]

        run(main)

    def test_pings_are_answered(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async def play(server: ServerByHand) -> None:
                await server.accept()
                server.send(Ping(b"there?"))
                assert await server.receive() == Pong(b"there?")
                await server.end()

            async with played(transport, play) as (url, _), connect(url, transport=transport) as socket:
                assert [message async for message in socket] == []

        run(main)


class TestAgain:
    """The iterator: one after the other, with waits between."""

    def certain(self) -> Backoff:
        return Backoff(first=2.0, factor=2.0, longest=16.0, random=lambda: 1.0)

    def test_a_server_that_went_away_is_reached_again(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async def play(server: ServerByHand) -> None:
                await server.accept(behind=b"\x81\x02hi")
                await asyncio.sleep(30)
                server.peer.reset()

            async with played(transport, play) as (url, servers):
                times, received = [], []
                async for socket in connect(url, transport=transport, backoff=self.certain()):
                    times.append(transport.now())
                    received.append(await socket.receive())
                    with pytest.raises(WebSocketClosed):
                        await socket.receive()
                    if len(times) == 3:
                        break
                assert received == ["hi"] * 3
                assert [round(after - before) for before, after in itertools.pairwise(times)] == [32, 32]
                assert len(servers) == 3

        run(main)

    def test_failures_in_a_row_wait_longer_each_time(self) -> None:
        """Whether nobody is there, or the answer is 503; what worked for a while begins anew."""
        busy = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"

        async def main(transport: MemoryTransport) -> None:
            times: list[float] = []

            def timed(play: Play) -> Play:
                async def perform(server: ServerByHand) -> None:
                    times.append(transport.now())
                    await play(server)

                return perform

            plays = [answering(busy), answering(b"", close=True), answering(busy), answering(busy), answering(busy)]
            async with played(transport, *map(timed, plays), timed(echo)) as (url, _):
                async for socket in connect(url, transport=transport, backoff=self.certain()):
                    await socket.send_text("a")
                    assert await socket.receive() == "a"
                    break
            assert [round(after - before) for before, after in itertools.pairwise(times)] == [2, 4, 8, 16, 16]

        run(main)

    def test_a_server_that_ends_each_one_at_once_is_not_hammered(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async def play(server: ServerByHand) -> None:
                await server.accept()
                await server.end(1011)

            async with played(transport, play) as (url, _):
                times: list[float] = []
                async for socket in connect(url, transport=transport, backoff=self.certain()):
                    times.append(transport.now())
                    with pytest.raises(WebSocketClosed):
                        await socket.receive()
                    if len(times) == 5:
                        break
                waits = [round(after - before) for before, after in itertools.pairwise(times)]
                assert waits == [2, 4, 8, 16]

        run(main)

    @pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 426])
    def test_an_answer_that_will_be_the_same_again_ends_it(self, status: int) -> None:
        answer = b"HTTP/1.1 %d No\r\ncontent-length: 0\r\n\r\n" % status

        async def main(transport: MemoryTransport) -> None:
            async with played(transport, answering(answer)) as (url, servers):
                with pytest.raises(WebSocketDenied) as caught:
                    async for _ in connect(url, transport=transport):
                        pass
                assert caught.value.status == status
                assert len(servers) == 1

        run(main)

    def test_going_on_without_a_socket_closes_it(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async with played(transport, echo) as (url, servers):
                sockets = []
                async for socket in connect(url, transport=transport):
                    sockets.append(socket)
                    if len(sockets) < 3:
                        continue
                    break
                await asyncio.sleep(30)
                assert [socket.close_code for socket in sockets] == [1000] * 3
                assert all(server.peer.is_gone for server in servers)

        run(main)

    def test_an_error_in_the_body_ends_it_and_closes(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            async with played(transport, echo) as (url, servers):

                async def fail() -> None:
                    async for _ in connect(url, transport=transport):
                        raise KeyError

                with pytest.raises(KeyError):
                    await fail()
                await asyncio.sleep(30)
                assert servers[0].peer.is_gone

        run(main)


class TestProxy:
    """A tunnel is asked for first."""

    def test_a_tunnel_is_asked_for_and_used(self) -> None:
        async def main(transport: MemoryTransport) -> None:
            asked: list[dict[str, str]] = []

            async def play(server: ServerByHand) -> None:
                asked.append(await head_of(server.peer))
                server.peer.send(b"HTTP/1.1 200 Tunnel\r\n\r\n")
                await echo(server)

            async with played(transport, play) as (url, servers):
                proxy = url.replace("ws://", "http://x:y@")
                async with connect("ws://hidden.example:81/a", proxy=proxy, transport=transport) as socket:
                    await socket.send_text("through")
                    assert await socket.receive() == "through"
                assert asked[0][""] == "CONNECT hidden.example:81 HTTP/1.1"
                assert asked[0]["host"] == "hidden.example:81"
                assert asked[0]["proxy-authorization"] == "Basic eDp5"
                assert servers[0].request["host"] == "hidden.example:81"
                assert "proxy-authorization" not in servers[0].request

        run(main)

    @pytest.mark.parametrize(("status", "attempts"), [(407, 1), (403, 1), (502, 3)])
    def test_a_refusal_of_the_proxy_is_told(self, status: int, attempts: int) -> None:
        """And another attempt is made only where it may help."""
        no = answering(b"HTTP/1.1 %d No\r\ncontent-length: 0\r\n\r\n" % status)
        last = answering(b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n")

        async def main(transport: MemoryTransport) -> None:
            async with played(transport, no, no, last) as (url, servers):
                proxy = url.replace("ws://", "http://")
                with pytest.raises(TunnelRefused):
                    async for _ in connect("ws://hidden.example/", proxy=proxy, transport=transport):
                        pass
                assert len(servers) == attempts

        run(main)


@pytest.mark.parametrize(
    ("url", "options", "text"),
    [
        ("http://a", {}, "ws://"),
        ("ws://a", {"server_hostname": "b"}, "wss://"),
        ("ws://a", {"proxy": "http://b/c"}, "port"),
        ("ws://a", {"proxy": "http://b", "address": "/run/a"}, "Unix"),
        ("ws://u:p@a", {"headers": {"Authorization": "x"}}, "both"),
    ],
)
def test_options_that_make_no_sense_are_told_at_once(url: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        connect(url, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"subprotocols": ["a b"]},
        {"subprotocols": ["a", "a"]},
        {"headers": {"Upgrade": "x"}},
        {"headers": {"host": "x"}},
    ],
)
def test_what_no_handshake_may_say_is_told_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError):
        connect("ws://a", **options)


def test_two_tasks_cannot_open_the_same() -> None:
    """The second is told so, and the first has its socket to itself; afterwards it can be opened again."""

    async def main(transport: MemoryTransport) -> None:
        async with played(transport, echo) as (url, _):
            connecting = connect(url, transport=transport)

            async def enter() -> str:
                async with connecting as socket:
                    await socket.send_text("mine")
                    return await socket.receive_text()

            first, second = await asyncio.gather(enter(), enter(), return_exceptions=True)
            assert first == "mine"
            assert isinstance(second, RuntimeError)
            assert await enter() == "mine"

    run(main)


@pytest.mark.parametrize("given", ["chat", b"chat"])
def test_one_name_is_no_list_of_subprotocols(given: Any) -> None:
    """Its letters would be."""
    with pytest.raises(TypeError, match="subprotocols"):
        connect("ws://site.example/", subprotocols=given)
    with pytest.raises(TypeError, match="subprotocols"):
        SocketSettings(subprotocols=given)


def test_an_origin_is_said_once() -> None:
    """As a field, or as an option."""
    with pytest.raises(ValueError, match="origin"):
        connect("ws://site.example/", headers={"Origin": "https://a.example"}, origin="https://a.example")


def test_a_field_that_would_split_the_request_is_refused() -> None:
    async def main(transport: MemoryTransport) -> None:
        listener = await transport.listen(Binding(host="far.example"), lambda stream: peers.append(Peer(stream)))
        peers: list[Peer] = []
        host, port = listener.address
        with pytest.raises(LocalProtocolError):
            async with connect(f"ws://{host}:{port}", headers={"x": "a\r\ny: b"}, transport=transport):
                pass
        listener.close()

    run(main)
