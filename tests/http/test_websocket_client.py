"""A client's WebSocket is opened: what is asked, what is taken for an answer, and which options make no sense."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.websocket_peer import ServerByHand, echo, played, run

from highper_core.errors import LocalProtocolError
from highper_core.permessage_deflate import DeflateSettings
from highper_http.errors import WebSocketClosed
from highper_http.websocket.connecting import connect
from highper_http.websocket.masks import Masks
from highper_http.websocket.settings import SocketSettings
from highper_transports.memory import MemoryTransport, Peer
from highper_transports.sockets import Binding

EXTENSION = (
    "sec-websocket-extensions: permessage-deflate; "
    "server_no_context_takeover; client_no_context_takeover; client_max_window_bits=10"
)


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
