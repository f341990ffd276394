"""Hubs with real WebSockets and readers of events, over every provider and either engine."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support.providers import EVERY
from support.sockets import UPGRADE, Served, served
from zope.interface.verify import verifyObject

from highper_core import Limits
from highper_core.permessage_deflate import DeflateSettings
from highper_http import App, Request, Response, WebSocket, WebSocketClosed, WebSocketListener
from highper_http.hub import Hub, ISubscriber
from highper_transports.memory import Peer

Main = Callable[[Served], Coroutine[Any, Any, None]]
Play = Callable[..., None]
KEEPING = DeflateSettings(server_no_context_takeover=False, client_no_context_takeover=False, memory=1 << 20)


@pytest.fixture(params=EVERY, ids=lambda provider: provider.name)
def play(request: pytest.FixtureRequest, engine_name: str) -> Play:
    """Serve an application while a coroutine function talks to it."""

    def start(app: App, main: Main, **options: Any) -> None:
        async def bounded(transport: Any) -> None:
            async with asyncio.timeout(60), served(transport, app, engine_name, **options) as site:
                await main(site)

        request.param.run(bounded)

    return start


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def chat(hub: Hub, **options: Any) -> App:
    """Rooms in which everybody hears everybody; one route for handlers, one for a listener, one for events."""
    app = App()

    @app.websocket("/ws/:room", **options)
    async def room(socket: WebSocket) -> None:
        await socket.accept()
        topic = socket.param("room")
        hub.join(socket, topic)
        async for message in socket:
            if message == "alone":
                await socket.send_text("just you " * 20)
            else:
                await hub.publish(topic, message)

    @app.websocket("/listener/:room", **options)
    class Room(WebSocketListener):
        keep_request = True

        def on_open(self, socket: Any) -> None:
            hub.join(socket, socket.param("room"))

        def on_message(self, socket: Any, message: str | bytes) -> None:
            hub.post(socket.param("room"), message)

    @app.get("/events/:room")
    async def events(request: Request, response: Response) -> None:
        async with response.events() as events:
            hub.join(events, request.param("room"))
            await events.wait()

    return app


def test_sockets_are_subscribers(play: Play) -> None:
    """Handlers' and listeners', by the interface."""
    hub = Hub()

    async def main(site: Served) -> None:
        async with site.socket("/ws/a"), site.socket("/listener/a"):
            await until(lambda: len(hub.subscribers("a")) == 2)
            for subscriber in hub.subscribers("a"):
                assert verifyObject(ISubscriber, subscriber, tentative=True)

    play(chat(hub), main)


def test_everybody_hears_everybody(play: Play) -> None:
    """Handlers and listeners, text and bytes, in order, and nothing from elsewhere."""
    hub = Hub()

    async def main(site: Served) -> None:
        async with site.socket("/ws/a") as one, site.socket("/listener/a") as two, site.socket("/ws/b") as other:
            await until(lambda: len(hub.topics()) == 2 and len(hub.subscribers("a")) == 2)
            for index in range(50):
                await (one if index % 2 else two).send_text(f"{index}")
                for socket in (one, two):
                    assert await socket.receive_text() == f"{index}"
            await one.send_bytes(b"\xff" * 70_000)
            assert await two.receive_bytes() == b"\xff" * 70_000
            await other.send_text("alone")
            assert await other.receive_text() == "just you " * 20

    play(chat(hub), main)


def test_each_reads_what_all_share_in_its_own_compression(play: Play) -> None:
    """No compression, small windows, contexts that are kept: the bytes are shared, what is alone goes in between."""
    hub = Hub()
    offers = [None, DeflateSettings(), DeflateSettings(server_max_window_bits=9), KEEPING]
    words = random.Random(7).choices(["hub", "topic", "socket", "0123456789" * 5], k=3000)

    async def main(site: Served) -> None:
        async with contextlib.AsyncExitStack() as stack:
            sockets = [await stack.enter_async_context(site.socket("/ws/a", deflate=offer)) for offer in offers]
            await share(sockets)

    async def share(sockets: list[WebSocket]) -> None:
        await until(lambda: len(hub.subscribers("a")) == len(offers))
        assert sorted(str(socket.window_bits) for socket in hub.subscribers("a")) == ["15", "15", "9", "None"]
        for number in range(12):
            message = " ".join(words[number * 200 : number * 200 + 10 * number])
            hub.post("a", message)
            for socket in sockets:
                assert await socket.receive_text() == message
                await socket.send_text("alone")
                assert await socket.receive_text() == "just you " * 20

    play(chat(hub, deflate=KEEPING), main)


@pytest.mark.parametrize("how", ["client", "server", "lost"])
def test_who_ends_has_left(play: Play, how: str) -> None:
    """Whoever ended it, at once, and nothing is kept of it."""
    hub = Hub()

    async def main(site: Served) -> None:
        for path in ("/ws/a", "/listener/a"):
            async with site.socket(path) as socket:
                await until(lambda: hub.topics() == ["a"])
                subscriber = hub.subscribers("a")[0]
                if how == "client":
                    await socket.close()
                elif how == "server":
                    await asyncio.gather(subscriber.close(1000), heard(socket))  # type: ignore[attr-defined]
                else:
                    socket.abort()
                await until(lambda: hub.topics() == [])
                assert subscriber.closed
                assert hub._members == {}

    play(chat(hub), main)


def test_a_socket_joins_when_it_is_open(play: Play) -> None:
    """Before, its form is not known."""
    hub, raised = Hub(), []
    app = App()

    @app.websocket("/")
    async def early(socket: WebSocket) -> None:
        with pytest.raises(RuntimeError, match="not open"):
            hub.join(socket, "a")
        raised.append(True)
        await socket.accept()
        assert hub.join(socket, "a")
        hub.post("a", "now")

    async def main(site: Served) -> None:
        async with site.socket("/") as socket:
            assert await socket.receive_text() == "now"
        assert raised == [True]

    play(app, main)


@pytest.mark.parametrize("policy", ["block", "drop-oldest", "conflate", "close"])
def test_a_slow_socket_falls_under_its_policy(play: Play, policy: str) -> None:
    """It is counted, loses what its policy says, and everybody else has everything."""
    hub, total = Hub(), 4000

    async def main(site: Served) -> None:
        peers: list[Peer] = []
        await site.transport.connect(site.address, lambda stream: peers.append(Peer(stream)))
        peers[0].stream.write(UPGRADE % (b"/ws/a", b""))
        await until(lambda: hub.topics() == ["a"])
        slow = hub.subscribers("a")[0]
        peers[0].stream.pause_reading()
        async with site.socket("/ws/a") as quick:
            await until(lambda: len(hub.subscribers("a")) == 2)
            for number in range(total):
                hub.post("a", f"{number} " + "x" * 10_000, key=str(number % 7))
                assert (await quick.receive_text()).startswith(f"{number} ")
            statistics = hub.statistics("a")
            assert statistics.published == total
            assert total < statistics.delivered < 2 * total or policy in ("drop-oldest", "conflate")
            assert slow.unsent < 10_000_000  # type: ignore[attr-defined]
            if policy == "close":
                assert slow.closed
                assert slow.close_code == 1013  # type: ignore[attr-defined]
                assert statistics.subscribers == 1
            elif policy == "block":
                assert statistics.dropped > 0
            else:
                assert statistics.subscribers == 2
        peers[0].stream.abort()

    play(chat(hub, policy=policy, limits=Limits(write_timeout=60)), main)


def test_readers_of_events_hear_what_sockets_hear(play: Play) -> None:
    """One hub for both."""
    hub = Hub()

    async def main(site: Served) -> None:
        peers: list[Peer] = []
        await site.transport.connect(site.address, lambda stream: peers.append(Peer(stream)))
        peers[0].stream.write(b"GET /events/a HTTP/1.1\r\nhost: site.example\r\n\r\n")
        async with site.socket("/ws/a") as socket:
            await until(lambda: hub.topics() == ["a"] and len(hub.subscribers("a")) == 2)
            await socket.send_text("one\ntwo")
            assert await socket.receive_text() == "one\ntwo"
            assert b"data: one\ndata: two" in await peers[0].receive_until(b"data: two\n\n")
        peers[0].stream.abort()
        await until(lambda: hub.topics() == [])

    play(chat(hub), main)


def test_a_clients_socket_joins_nothing(play: Play) -> None:
    """What a hub sends is not masked."""
    hub = Hub()

    async def main(site: Served) -> None:
        async with site.socket("/ws/a") as socket:
            with pytest.raises(TypeError, match="client"):
                hub.join(socket, "a")

    play(chat(hub), main)


def test_a_closing_socket_takes_nothing_more(play: Play) -> None:
    """The end of one socket, in the middle of a room that goes on."""
    hub = Hub()

    async def main(site: Served) -> None:
        async with site.socket("/ws/a") as one, site.socket("/ws/a") as two:
            await until(lambda: len(hub.topics()) == 1 and len(hub.subscribers("a")) == 2)
            closing = hub.subscribers("a")[0]
            ended = asyncio.ensure_future(closing.close(1000))  # type: ignore[attr-defined]
            await asyncio.sleep(0)
            hub.post("a", "late")
            first, second = await asyncio.gather(heard(one), heard(two))
            assert sorted([first, second]) == ["closed", "late"]
            await ended

    play(chat(hub), main)


async def heard(socket: WebSocket) -> str:
    try:
        return await socket.receive_text()
    except WebSocketClosed:
        return "closed"
