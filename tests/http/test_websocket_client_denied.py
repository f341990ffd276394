"""A client's WebSocket is not opened: denials, answers that are none, silence, and proxies in between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.websocket_peer import ServerByHand, answering, echo, head_of, played, run

from highper_core.errors import Fault, HandshakeError, RemoteProtocolError
from highper_http.websocket.connecting import connect
from highper_http.websocket.denied import WebSocketDenied
from highper_transports.errors import ConnectFailed, TunnelRefused
from highper_transports.memory import MemoryTransport


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
