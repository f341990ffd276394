"""WebSockets that rest: beneath a quiet one the stream dozes where its transport can, and nobody notices."""

from __future__ import annotations

import asyncio
import gc
from contextvars import Context, ContextVar
from pathlib import Path

from support.dozing import HELLO, MASKED_HELLO, Echo, Raw, dozing, expected, listening, lull, over_sockets, until
from support.sockets import PATIENT, Served
from support.tls_peer import certificates
from support.websocket_play import Play, play

from highper_http import App, Limits, WebSocket, WebSocketListener
from highper_http.hub import Hub
from highper_http.websocket import ListenedSocket
from highper_http.websocket.connecting import connect

__all__ = ["play"]


def test_a_quiet_socket_costs_no_stream_and_answers_whatever_way_its_bytes_are_split(play: Play) -> None:
    """Bytes wake it at any place of a frame; inside one it does not doze."""
    echo = Echo()

    async def main(site: Served) -> None:
        if not over_sockets(site):
            return
        raw = await Raw.open(site)
        [socket] = echo.sockets
        for place in range(len(MASKED_HELLO) + 1):
            assert lull(site) == expected(site, 1)
            assert (socket.wire is None) is (expected(site, 1) == 1)
            await raw.send(MASKED_HELLO[:place])
            if 0 < place < len(MASKED_HELLO):
                await until(lambda: socket.core.unparsed or not socket.core.is_resting)
                assert lull(site) == 0
            await raw.send(MASKED_HELLO[place:])
            assert await raw.receive(len(HELLO)) == HELLO
        raw.plain.close()
        await site.settle()
        assert echo.closed == [(1006, "")]

    play(listening(echo), main)


def test_a_second_after_the_last_message_it_dozes_by_itself(play: Play) -> None:
    """Nobody asks for it but the clock; a socket that is spoken to stays awake."""
    echo = Echo()

    async def main(site: Served) -> None:
        async with site.socket("/ws") as quiet, site.socket("/ws") as busy:
            await quiet.send_text("once")
            for _ in range(26):
                await busy.send_text("again")
                await busy.receive()
                await asyncio.sleep(0.1)
            assert dozing(site) == expected(site, 1)
            assert len(site.transport.timers) <= 3
            assert await quiet.receive() == "once"
            await quiet.send_text("more")
            assert await quiet.receive() == "more"

    play(listening(echo), main)


def test_what_is_sent_to_a_socket_at_rest_arrives(play: Play) -> None:
    """A message, one in pieces, a ping, one of a hub; from the loop and from a task."""
    echo = Echo()

    async def main(site: Served) -> None:
        async with site.socket("/ws") as socket:
            await socket.send_text("hello")
            await socket.receive()
            [far] = echo.sockets
            hub = Hub()
            hub.join(far, "news")
            for send in (
                lambda: far.try_send("one"),
                lambda: far.send_text("two"),
                lambda: far.send_bytes(bytes(200_000)),
                lambda: hub.publish("news", "three"),
            ):
                assert lull(site) == expected(site, 1)
                sent = send()
                if not isinstance(sent, bool | int | None):
                    await sent
                message = await socket.receive()
                assert message in ("one", "two", "three", bytes(200_000))
                await until(lambda: not far.unsent)
            assert lull(site) == expected(site, 1)
            async with far.stream(text=True) as send_piece:
                await send_piece("four ")
                await asyncio.sleep(0.01)
                assert lull(site) == expected(site, 1)  # also inside a message
                await send_piece("five")
            assert await socket.receive() == "four five"
            assert lull(site) == expected(site, 1)
            assert await far.ping() >= 0

    play(listening(echo), main)


def test_its_water_marks_outlast_a_rest(play: Play) -> None:
    """A route that drops the oldest drops them at a socket that has rested, too."""
    app = App()
    opened: list[WebSocket] = []

    @app.websocket("/ws", policy="drop-oldest")
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        opened.append(socket)
        await socket.receive()

    async def main(site: Served) -> None:
        if not over_sockets(site):
            return
        raw = await Raw.open(site)
        await until(lambda: opened)
        [socket] = opened
        assert lull(site) == expected(site, 1)
        for _ in range(20_000):
            socket.try_send("x" * 1000)
            if socket.pressed:
                break
        assert socket.pressed
        for _ in range(1000):
            socket.try_send("x" * 1000)
        assert socket.unsent <= 200_000
        assert lull(site) == 0
        raw.plain.close()
        await site.settle()

    play(app, main)


def test_a_socket_at_rest_is_pinged_and_rests_on(play: Play) -> None:
    """Its peers answer, so it lives; one that is silent is failed in time."""
    echo = Echo()
    limits = Limits(websocket_ping_interval=0.3, websocket_ping_timeout=0.5, websocket_close_timeout=0.2)

    async def main(site: Served) -> None:
        async with site.socket("/ws") as alive:
            silent = await Raw.open(site) if over_sockets(site) else None
            await until(lambda: echo.sockets)
            for _ in range(30):
                lull(site)
                await asyncio.sleep(0.05)
            assert echo.sockets[0].latency is not None
            if silent is not None:
                assert len(echo.closed) == 1
                silent.plain.close()
            await alive.send_text("still here")
            assert await alive.receive() == "still here"

    play(listening(echo, limits=limits), main)


def test_each_socket_has_its_own_context_through_every_rest(play: Play) -> None:
    """What a callback set is there after a rest, at its socket alone; who set nothing sees what start-up left."""
    where: ContextVar[str] = ContextVar("where")
    where.set("start-up")
    seen: list[str] = []

    class Setting(WebSocketListener):
        def on_text(self, socket: ListenedSocket, text: str) -> None:
            if text != "?":
                where.set(text)
            socket.try_send(where.get())

    async def main(site: Served) -> None:
        async with site.socket("/ws") as first, site.socket("/ws") as second, site.socket("/ws") as third:
            for turn in range(3):
                for socket, text in ((first, "first"), (second, "second"), (third, "?")):
                    await socket.send_text(text if turn == 0 else "?")
                    seen.append(str(await socket.receive()))
                assert lull(site) == expected(site, 3)
        assert seen == ["first", "second", "start-up"] * 3
        assert where.get() == "start-up"

    play(listening(Setting()), main)


def test_a_context_that_says_what_start_up_left_takes_nothing_at_rest(play: Play) -> None:
    where: ContextVar[str] = ContextVar("where")
    kept: list[ListenedSocket] = []

    class Setting(WebSocketListener):
        def on_open(self, socket: ListenedSocket) -> None:
            kept.append(socket)
            if len(kept) == 1:
                where.set("here")

    def contexts() -> list[int]:
        return [sum(isinstance(item, Context) for item in gc.get_referents(socket)) for socket in kept]

    async def main(site: Served) -> None:
        async with site.socket("/ws"), site.socket("/ws"):
            await until(lambda: len(kept) == 2)
            assert contexts() == [1, 1]
            assert lull(site) == expected(site, 2)
            assert contexts() == [1, 1 - expected(site, 1)]

    play(listening(Setting()), main)


def test_its_request_can_be_asked_at_rest(play: Play) -> None:
    """Head and client are the same as before."""
    app = App()
    opened: list[WebSocket] = []

    @app.websocket("/ws/:room")
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        opened.append(socket)
        await socket.receive()

    async def main(site: Served) -> None:
        async with site.socket("/ws/blue?x=1"):
            await until(lambda: opened)
            [socket] = opened
            before = socket.request.client
            assert lull(site) == expected(site, 1)
            assert (socket.param("room"), socket.query("x")) == ("blue", "1")
            assert socket.request.client == before

    play(app, main)


def test_a_secured_socket_rests_too(play: Play, tmp_path: Path) -> None:
    """Its TLS session stays with the record: messages go both ways afterwards, and the end is a clean one."""
    server_tls, client_tls = certificates(tmp_path)
    echo = Echo()

    async def main(site: Served) -> None:
        if not over_sockets(site):
            return
        url = f"wss://127.0.0.1:{site.address[1]}/ws"
        async with connect(url, ssl=client_tls.context, transport=site.transport, limits=PATIENT) as socket:
            for turn in range(3):
                await socket.send_text(f"question {turn}")
                assert await socket.receive() == f"question {turn}"
                assert lull(site) == expected(site, 1)
                echo.sockets[0].try_send("from the other side")
                assert await socket.receive() == "from the other side"
                lull(site)
            await socket.close(4002)
        await site.settle()
        assert [code for code, _ in echo.closed] == [4002]

    play(listening(echo), main, ssl=server_tls.context)
