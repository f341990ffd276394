"""Server-Sent Events: over the memory transport, on virtual time, by each engine."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from math import inf, nan
from typing import Any

import anyio
import pytest
from support.subscribers import Collector
from zope.interface.verify import verifyObject

from highper_http import App, Request, Response, ResponseError
from highper_http.events import EventStream
from highper_http.hub import History, Hub, ISubscriber
from highper_http.testing import StreamedAnswer, TestClient, run
from highper_transports.errors import StreamClosed

Main = Callable[[TestClient], Awaitable[None]]


@pytest.fixture
def serve(engine_name: str) -> Callable[[App, Main], None]:
    """Serve an app and run a coroutine function with its client."""

    def serve(app: App, main: Main, **options: Any) -> None:
        async def whole() -> None:
            async with TestClient(app, engine=engine_name, **options) as client:
                await main(client)

        run(whole)

    return serve


class Reader:
    """Reads events off an answer, heartbeats left out."""

    def __init__(self, answer: StreamedAnswer) -> None:
        self._pieces: AsyncIterator[bytes] = answer.__aiter__()
        self._text = b""

    async def part(self) -> bytes:
        """Return what comes up to the next empty line, None at the end."""
        while b"\n\n" not in self._text:
            self._text += await anext(self._pieces, b"")
        part, _, self._text = self._text.partition(b"\n\n")
        return part

    async def event(self) -> dict[str, str]:
        """Return the next event's fields."""
        while True:
            part = await self.part()
            fields = dict(line.split(": ", 1) for line in part.decode().split("\n") if not line.startswith(":"))
            if "data" in fields:
                return fields

    async def rest(self) -> bytes:
        """Return all up to the end."""
        async for piece in self._pieces:
            self._text += piece
        return self._text


def news(**options: Any) -> tuple[App, Hub, list[EventStream]]:
    """An app whose readers join one topic."""
    app, hub, streams = App(), Hub(history=History()), []

    @app.get("/news")
    async def feed(request: Request, response: Response) -> None:
        async with response.events(**options) as events:
            streams.append(events)
            if not hub.join(events, "news", after=events.last_identity):
                await events.send("", name="reset")
            await events.wait()

    return app, hub, streams


def test_events_as_they_are_written(serve: Any) -> None:
    """Type, fields that keep caches and proxies out, then each event as it is sent, until the handler ends."""
    app = App()

    @app.get("/")
    async def feed(request: Request, response: Response) -> None:
        async with response.events(retry=2.5) as events:
            verifyObject(ISubscriber, events)
            await events.send("one\ntwo", name="note", identity="7")
            await events.send_json({"a": 1})

    async def main(client: TestClient) -> None:
        answer = await client.get("/")
        assert answer.header("content-type") == "text/event-stream"
        assert answer.header("cache-control") == "no-store"
        assert answer.header("x-accel-buffering") == "no"
        assert answer.content == b'retry: 2500\n\nid: 7\nevent: note\ndata: one\ndata: two\n\ndata: {"a":1}\n\n'

    serve(app, main)


def test_fields_that_were_set_stay(serve: Any) -> None:
    """The handler knows better."""
    app = App()

    @app.get("/")
    async def feed(request: Request, response: Response) -> None:
        response.header("cache-control", "private")
        async with response.events():
            pass

    async def main(client: TestClient) -> None:
        assert (await client.get("/")).header("cache-control") == "private"

    serve(app, main)


def test_readers_of_a_hub(serve: Any) -> None:
    """They get what is published, beside sockets, and who comes back gets what it has missed."""
    app, hub, streams = news()

    async def main(client: TestClient) -> None:
        async with client.stream("GET", "/news") as answer:
            reader = Reader(answer)
            await anyio.sleep(0)
            hub.post("news", "a")
            hub.post("news", {"b": 2}, name="note")
            first = await reader.event()
            assert first["data"] == "a"
            assert (await reader.event())["data"] == '{"b":2}'
        assert await ended(streams[0])
        assert hub.subscribers("news") == []
        hub.post("news", "c")
        async with client.stream("GET", "/news", headers={"last-event-id": first["id"]}) as answer:
            reader = Reader(answer)
            again = [await reader.event() for _ in range(2)]
            assert [event["data"] for event in again] == ['{"b":2}', "c"]
            assert again[0]["event"] == "note"
        async with client.stream("GET", "/news", headers={"last-event-id": "of another life"}) as answer:
            reader = Reader(answer)
            assert [(await reader.event())["data"] for _ in range(3)] == ["a", '{"b":2}', "c"]
            assert (await reader.event())["event"] == "reset"

    serve(app, main)


async def ended(stream: EventStream) -> bool:
    with anyio.fail_after(60):
        while not stream.closed:
            await anyio.sleep(0.1)
    return stream.closed


def test_silence_is_broken_by_heartbeats(serve: Any) -> None:
    """No reader hears nothing for longer than was said, and none is sent comments between events."""
    app, hub, _ = news(heartbeat=10)

    async def main(client: TestClient) -> None:
        async with client.stream("GET", "/news") as answer:
            reader, last = Reader(answer), anyio.current_time()
            assert await reader.part() == b":"
            for _ in range(5):
                assert await reader.part() == b":"
                now = anyio.current_time()
                assert now - last <= 10.5
                last = now
            for number in range(10):
                await anyio.sleep(3)
                hub.post("news", str(number))
            parts = [await reader.part() for _ in range(10)]
            assert sum(part == b":" for part in parts) <= 1

    serve(app, main)


def test_a_reader_that_is_gone_is_let_go(serve: Any) -> None:
    """Its handler is cancelled, and it has left the hub."""
    app, hub, streams = news()

    async def main(client: TestClient) -> None:
        with contextlib.suppress(ConnectionError):
            async with client.stream("GET", "/news"):
                await anyio.sleep(1)
                assert len(hub.subscribers("news")) == 1
        assert await ended(streams[0])
        assert hub.subscribers("news") == []
        assert not streams[0].post(b"data: x\n\n")

    serve(app, main)


def test_a_handler_that_is_not_cancelled_sees_the_end(serve: Any) -> None:
    """`wait` returns, sending raises."""
    app, seen = App(), []

    @app.get("/", cancel_on_disconnect=False)
    async def feed(request: Request, response: Response) -> None:
        async with response.events() as events:
            await events.wait()
            seen.append(events.closed)
            with pytest.raises(StreamClosed):
                await events.send("x")
            await events.wait()
            seen.append("over")

    async def main(client: TestClient) -> None:
        async with client.stream("GET", "/"):
            await anyio.sleep(1)
        await anyio.sleep(1)
        assert seen == [True, "over"]

    serve(app, main)


@pytest.mark.parametrize("overflow", ["close", "drop"])
def test_a_reader_that_is_behind(serve: Any, overflow: str) -> None:
    """Is closed, to come back and go on where it was; or has events dropped and counted until it reads again."""
    app, hub, streams = news(overflow=overflow, queue=4096, heartbeat=3600)

    async def main(client: TestClient) -> None:
        async with client.stream("GET", "/news") as answer:
            await anyio.sleep(1)
            stream = streams[0]
            other = Collector(-1)
            hub.join(other, "news")
            for number in range(3000):
                await hub.publish("news", f"{number} " + "x" * 1000)
            assert len(other.taken) == 3000
            assert hub.statistics("news").dropped > 0
            if overflow == "close":
                assert stream.closed
                assert hub.subscribers("news") == [other]
                events = (await Reader(answer).rest()).count(b"data: ")
                assert 0 < events < 3000
            else:
                assert not stream.closed
                assert stream.dropped == hub.statistics("news").dropped
                reader = Reader(answer)
                for _ in range(3000 - stream.dropped):
                    await reader.event()
                hub.post("news", "again")
                assert (await reader.event())["data"] == "again"

    serve(app, main)


def test_a_handler_that_sends_waits_for_its_reader(serve: Any) -> None:
    """What it sends itself is never dropped, and never piles up."""
    app, sent = App(), []

    @app.get("/")
    async def feed(request: Request, response: Response) -> None:
        async with response.events(queue=1024, heartbeat=3600) as events:
            for number in range(3000):
                await events.send(f"{number} " + "x" * 1000)
                sent.append(number)

    async def main(client: TestClient) -> None:
        async with client.stream("GET", "/") as answer:
            await anyio.sleep(10)
            assert 0 < len(sent) < 3000
            reader = Reader(answer)
            for number in range(3000):
                assert (await reader.event())["data"].startswith(f"{number} ")

    serve(app, main)


def test_the_end_of_the_server_is_told(serve: Any) -> None:
    """To reader and handler; the stream then ends in order, well before running requests are cancelled."""
    app, _, streams = news(retry=4)

    async def main(client: TestClient) -> None:
        async with client.stream("GET", "/news") as answer, anyio.create_task_group() as group:
            reader = Reader(answer)
            assert await reader.part() == b"retry: 4000"
            started = anyio.current_time()
            group.start_soon(client.server.finish)
            retry = await reader.part()
            assert 4000 <= int(retry.removeprefix(b"retry: ")) <= 8000
            assert await reader.part() == b"event: drain\ndata: "
            assert streams[0].draining
            assert await reader.rest() == b""
            assert anyio.current_time() - started < 1

    serve(app, main, drain=30)


def test_a_handler_may_say_goodbye(serve: Any) -> None:
    """After the drain event it can still send; without a name for it there is none."""
    app = App()

    @app.get("/")
    async def feed(request: Request, response: Response) -> None:
        async with response.events(drain=None) as events:
            await events.wait()
            assert not events.closed
            await events.send("goodbye")

    async def main(client: TestClient) -> None:
        async with client.stream("GET", "/") as answer, anyio.create_task_group() as group:
            await anyio.sleep(1)
            group.start_soon(client.server.finish)
            assert await Reader(answer).rest() == b":\n\ndata: goodbye\n\n"

    serve(app, main)


def test_who_is_told_of_the_end_may_fail(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The others are told, the answer ends as it should, and the fault is logged."""
    app, told = App(), []

    @app.get("/")
    async def feed(request: Request, response: Response) -> None:
        events = response.events()
        with pytest.raises(ResponseError, match="inside"):
            events.on_closed(told.append)
        with pytest.raises(ResponseError, match="inside"):
            Hub().join(events, "news")
        async with events:
            events.on_closed(lambda stream: 1 / 0)
            events.on_closed(told.append)
        with pytest.raises(ResponseError, match="ended"):
            events.on_closed(told.append)

    async def main(client: TestClient) -> None:
        assert (await client.get("/")).content == b":\n\n"
        assert len(told) == 1
        assert "ZeroDivisionError" in caplog.text

    serve(app, main)


def test_a_head_request_has_no_events(serve: Any) -> None:
    """Its handler does not wait, nor join, and the connection lives on."""
    app, hub, streams = news()

    async def main(client: TestClient) -> None:
        for _ in range(2):
            answer = await client.head("/news")
            assert answer.header("content-type") == "text/event-stream"
            assert answer.content == b""
        assert [stream.closed for stream in streams] == [True, True]
        assert hub.topics() == []
        assert client.server.statistics()["connections"]["accepted"] == 1

    serve(app, main)


def test_events_are_sent_inside_their_block(serve: Any) -> None:
    """And entered once."""
    app = App()

    @app.get("/")
    async def feed(request: Request, response: Response) -> None:
        events = response.events()
        for use in (events.send("x"), events.wait()):
            with pytest.raises(ResponseError, match="inside"):
                await use
        with pytest.raises(ResponseError, match="inside"):
            events.post(b"")
        async with events:
            with pytest.raises(ResponseError, match="entered"):
                await events.__aenter__()

    async def main(client: TestClient) -> None:
        assert (await client.get("/")).status == 200

    serve(app, main)


@pytest.mark.parametrize(
    "options",
    [
        {"heartbeat": 0},
        {"heartbeat": nan},
        {"queue": 0},
        {"overflow": "explode"},
        {"retry": -1},
        {"retry": inf},
        {"retry": nan},
        {"drain": "a\nb"},
    ],
    ids=repr,
)
def test_options_in_their_bounds(options: dict[str, Any]) -> None:
    """Said when they are given."""
    with pytest.raises(ValueError, match=r"."):
        Response().events(**options)
