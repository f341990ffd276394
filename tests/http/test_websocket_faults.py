"""A WebSocket whose stream is split, stalled, reset or ended at every position of its handshake and frames.

Server and client are ours, over one stream in memory. Whatever happens to the bytes: each side ends in time, with an
outcome that is declared; nothing runs on, and nothing was logged as an error.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from support.sockets import Served, served

from highper_core.errors import RemoteProtocolError
from highper_core.limits import Limits
from highper_core.permessage_deflate import DeflateSettings
from highper_http import App, WebSocket, WebSocketClosed, WebSocketListener
from highper_http.websocket import ListenedSocket
from highper_transports.errors import ConnectFailed
from highper_transports.memory import Faults, MemoryTransport

TEXT = "\u20ac\U0001f600"
DATA = bytes(range(126))  # a length of two bytes
LONGEST = 60.0  # seconds a talk takes at most, whatever happens: a handshake, a Ping, a Close, each with its deadline
LIMITS = Limits(websocket_ping_interval=5.0, websocket_ping_timeout=5.0, websocket_close_timeout=5.0)


class At(Faults):
    """One cut, or one stall, at one position of a direction."""

    __slots__ = ("_at", "_seconds", "_seen")

    def __init__(self, at: int, seconds: float = 0.0) -> None:
        super().__init__(Random(0))
        self._at = at
        self._seconds = seconds
        self._seen = 0

    def wait(self) -> float:
        if self._seen == self._at and self._seconds:
            self.met["stall"] += 1
            seconds, self._seconds = self._seconds, 0.0
            return seconds
        return 0.0

    def cut(self, offset: int, length: int) -> int:
        if offset < self._at < offset + length:
            self.met["split"] += 1
            length = self._at - offset
        self._seen = offset + length
        return length


def application(style: str, ends: list[int]) -> App:
    """Return an echo that notes with which code each WebSocket has ended."""
    app = App(limits=LIMITS)
    deflate = DeflateSettings(threshold=0)
    if style == "coroutine":

        @app.websocket("/", deflate=deflate)
        async def echo(socket: WebSocket) -> None:
            await socket.accept()
            try:
                async for message in socket:
                    await (socket.send_text if isinstance(message, str) else socket.send_bytes)(message)  # type: ignore[operator]
            except WebSocketClosed:
                pass
            finally:
                ends.append(socket.close_code)

    else:

        @app.websocket("/", deflate=deflate)
        class Echo(WebSocketListener):
            def on_message(self, socket: ListenedSocket, message: str | bytes) -> None:
                socket.try_send(message)

            def on_close(self, socket: ListenedSocket, code: int, reason: str) -> None:
                ends.append(code)

    return app


async def talk(site: Served, deflate: bool) -> str:
    """Open, say and hear, close; return how that went."""
    try:
        opening = site.socket("/", limits=LIMITS, deflate=DeflateSettings(threshold=0) if deflate else None)
        async with opening as socket:
            await socket.send_text(TEXT)
            async with socket.stream() as send:
                await send(DATA[:9])
                await send(DATA[9:])
            assert await socket.receive() == TEXT
            assert await socket.receive() == DATA
            await socket.ping()
            await socket.close(1000, "done")
            return f"closed {socket.close_code}"
    except (ConnectFailed, RemoteProtocolError, WebSocketClosed) as error:
        return type(error).__name__


class Weather:
    """Faults of the first stream's two directions; later ones have none."""

    def __init__(self, upwards: Faults | None = None, downwards: Faults | None = None) -> None:
        self.both = [upwards, downwards]
        self._left = list(self.both)

    def __call__(self) -> Faults | None:
        return self._left.pop(0) if self._left else None


def perform(weather: Callable[[], Faults | None], style: str, deflate: bool, engine: str) -> tuple[str, list[int]]:
    """Run one talk under `weather`; return how it went for the client, and for the server's sockets."""
    ends: list[int] = []

    async def main(transport: MemoryTransport) -> str:
        failures: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))
        async with served(transport, application(style, ends), engine) as site:
            began = transport.now()
            async with asyncio.timeout(1000):
                outcome = await talk(site, deflate)
                await site.settle()
            assert transport.now() - began <= LONGEST
        await asyncio.sleep(30)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert failures == []
        return outcome

    outcome: str = MemoryTransport.run(main, faults=weather)
    return outcome, ends


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A peer that vanishes is no error of ours."""
    with caplog.at_level(logging.WARNING):
        yield
    assert [record.getMessage() for record in caplog.records] == []


def lengths(style: str, deflate: bool, engine: str) -> list[int]:
    """Return how many bytes travel in each direction, those of the Close frames included, where nothing happens."""
    counts = [Count(), Count()]
    assert perform(Weather(*counts), style, deflate, engine) == ("closed 1000", [1000])
    return [count.bytes for count in counts]


class Count(Faults):
    """No fault; counts what travels."""

    __slots__ = ("bytes",)

    def __init__(self) -> None:
        super().__init__(Random(0))
        self.bytes = 0

    def ends(self, offset: int) -> str | None:
        self.bytes = offset
        return None


STYLES = ["coroutine", "listener"]
UNCLEAN = ("ConnectFailed", "WebSocketClosed", "WebSocketDenied")


@pytest.mark.parametrize("deflate", [False, True], ids=["plain", "deflate"])
@pytest.mark.parametrize("style", STYLES)
def test_a_cut_anywhere_changes_nothing(style: str, deflate: bool, engine_name: str) -> None:
    for direction, length in enumerate(lengths(style, deflate, engine_name)):
        for at in range(1, length):
            weather = Weather(*[At(at) if index == direction else None for index in range(2)])
            assert perform(weather, style, deflate, engine_name) == ("closed 1000", [1000]), (direction, at)


@pytest.mark.parametrize("style", STYLES)
def test_bytes_that_come_one_by_one_change_nothing(style: str, engine_name: str) -> None:
    class Drip(Faults):
        def cut(self, offset: int, length: int) -> int:
            return min(length, 1)

    weather = Weather(Drip(Random(0)), Drip(Random(0)))
    assert perform(weather, style, True, engine_name) == ("closed 1000", [1000])


@pytest.mark.parametrize("style", STYLES)
def test_a_reset_anywhere_ends_both_sides(style: str, engine_name: str) -> None:
    """Told as 1006 (RFC 6455 section 7.1.5), or not at all where the handshake was not done."""
    for direction, length in enumerate(lengths(style, False, engine_name)):
        for at in range(length):
            weather = Weather(*[Faults(Random(0), reset_at=at) if index == direction else None for index in range(2)])
            outcome, ends = perform(weather, style, False, engine_name)
            assert outcome in (*UNCLEAN, "closed 1000"), (direction, at, outcome)
            assert ends in ([], [1006], [1000]), (direction, at)
            [fault] = [fault for fault in weather.both if fault is not None]
            assert fault.met["reset"], (direction, at)


@pytest.mark.parametrize("style", STYLES)
def test_an_end_anywhere_ends_both_sides(style: str, engine_name: str) -> None:
    """What follows vanishes: a peer that ends its side early. Half a request may be answered 400."""
    for direction, length in enumerate(lengths(style, False, engine_name)):
        for at in range(length):
            weather = Weather(
                *[Faults(Random(0), half_close_at=at) if index == direction else None for index in range(2)]
            )
            outcome, ends = perform(weather, style, False, engine_name)
            assert outcome in (*UNCLEAN, "closed 1000", "closed 1006"), (direction, at, outcome)
            assert ends in ([], [1006], [1000]), (direction, at)


@pytest.mark.parametrize("style", STYLES)
def test_a_stall_anywhere_ends_in_time(style: str, engine_name: str) -> None:
    """An hour without a byte, anywhere: a deadline ends it; three seconds change nothing."""
    for seconds in (3.0, 3600.0):
        for direction, length in enumerate(lengths(style, False, engine_name)):
            for at in range(1, length):
                weather = Weather(*[At(at, seconds) if index == direction else None for index in range(2)])
                outcome, ends = perform(weather, style, False, engine_name)
                if seconds < LIMITS.websocket_ping_interval:  # type: ignore[operator]
                    assert (outcome, ends) == ("closed 1000", [1000]), (direction, at)
                else:
                    assert outcome in (*UNCLEAN, "closed 1000", "closed 1006"), (direction, at, outcome)
                    assert ends in ([], [1000], [1006], [1011]), (direction, at, ends)
