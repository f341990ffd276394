"""Requests of streams that take turns: each is answered, in order, over every provider and by the driver alone."""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import Callable
from typing import Any

import pytest
from support.providers import REAL, provider
from support.sockets import Served, served

from highper_core import HttpConnection, Limits, Response, Role
from highper_http import App, Request, Server
from highper_transports.driver import Driver
from highper_transports.stream import Receiver, Stream
from highper_transports.timers import TimerWheel

__all__ = ["provider"]

GET = b"GET /%d HTTP/1.1\r\nhost: site.example\r\n\r\n"


# Servers


Talk = Callable[..., None]


@pytest.fixture(params=REAL, ids=lambda provider: provider.name)
def talk(request: pytest.FixtureRequest) -> Talk:
    return functools.partial(serve, request.param)


def serve(provider: Any, app: App, main: Callable[[Served, list[socket.socket]], Any], peers: int = 5) -> None:
    """Serve, with connections that have been answered before, so that they are awake."""

    async def run(transport: Any) -> None:
        async with served(transport, app) as site:
            connected = []
            for _ in range(peers):
                peer = socket.create_connection(site.address)
                peer.settimeout(10)
                connected.append(peer)
            try:
                await answers(connected, GET % 0)
                await main(site, connected)
            finally:
                for peer in connected:
                    peer.close()

    provider.run(run)


async def answers(peers: list[socket.socket], *requests: bytes) -> list[bytes]:
    """Send each peer a request, the same or its own, before the loop looks, and return what each gets."""
    for index, peer in enumerate(peers):
        peer.sendall(requests[index % len(requests)])
    loop = asyncio.get_running_loop()
    return [await loop.run_in_executor(None, whole, peer) for peer in peers]


def whole(peer: socket.socket) -> bytes:
    """Return the content of one answer; b"" at the end of the stream."""
    got = b""
    while b"\r\n\r\n" not in got:
        try:
            piece = peer.recv(65536)
        except ConnectionError:
            return b""
        if not piece:
            return b""
        got += piece
    return got.partition(b"\r\n\r\n")[2]


def numbered(said: list[str]) -> App:
    app = App()

    @app.get("/:number")
    async def handler(request: Request) -> str:
        said.append(request.param("number"))
        if int(request.param("number")) % 2:
            await asyncio.sleep(0)
        return request.param("number")

    return app


def test_each_gets_its_own_answer(talk: Talk) -> None:
    said: list[str] = []

    async def main(site: Served, peers: list[socket.socket]) -> None:
        for turn in range(3):
            requests = [GET % (turn * 100 + index) for index in range(len(peers))]
            expected = [b"%d" % (turn * 100 + index) for index in range(len(peers))]
            assert await answers(peers, *requests) == expected

    talk(numbered(said), main, 70)
    assert len(said) == 4 * 70


def test_pipelined_requests_are_answered_in_order(talk: Talk) -> None:
    async def main(site: Served, peers: list[socket.socket]) -> None:
        for peer in peers:
            peer.sendall(GET % 1 + GET % 2 + GET % 3)
        for peer in peers:
            got = b""
            while got.count(b"HTTP/1.1") < 3 or not got.endswith(b"3"):
                got += await asyncio.get_running_loop().run_in_executor(None, peer.recv, 65536)
            contents = [part.partition(b"\r\n\r\n")[2] for part in got.split(b"HTTP/1.1")[1:]]
            assert contents == [b"1", b"2", b"3"]

    talk(numbered([]), main)


def test_one_whose_stream_ends_meanwhile_takes_nobody_with_it(talk: Talk) -> None:
    """A handler ends all other streams, whose requests were read and perhaps begun."""
    said: list[str] = []
    app = numbered(said)
    sites: list[Served] = []

    @app.get("/")
    async def ending(request: Request) -> str:
        service = sites[0].server._service
        for stream in list(service.awake):
            if stream is not request._exchange.stream:
                stream.abort()
        return "alone"

    async def main(site: Served, peers: list[socket.socket]) -> None:
        sites.append(site)
        said.clear()
        root = b"GET / HTTP/1.1\r\nhost: site.example\r\n\r\n"
        got = await answers(peers, root, GET % 2, GET % 3, GET % 4, GET % 5)
        assert got[0] == b"alone"
        assert [content in (b"", b"%d" % (index + 1)) for index, content in enumerate(got)][1:] == [True] * 4
        fresh = socket.create_connection(site.address)
        fresh.settimeout(10)
        assert await answers([fresh], GET % 8) == [b"8"]
        fresh.close()
        for peer in peers:
            peer.close()
        await site.settle()
        assert site.server._service.statistics()["awake"] == 0

    talk(app, main)


@pytest.mark.parametrize("bad", [b"GET /x\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\x00\r\n\r\n"])
def test_one_that_breaks_a_rule_is_refused_alone(talk: Talk, bad: bytes) -> None:
    async def main(site: Served, peers: list[socket.socket]) -> None:
        got = await answers(peers, GET % 1, bad, GET % 3, GET % 4, GET % 6)
        assert [got[index] for index in (0, 2, 3, 4)] == [b"1", b"3", b"4", b"6"]
        assert got[1]
        assert not peers[1].recv(10)

    talk(numbered([]), main)


@pytest.mark.parametrize("exits", [1, 2])
def test_an_exit_leaves_nobody_unanswered(provider: Any, exits: int) -> None:
    """Where it leaves the turn once, and again when the rest of it is served."""
    app = numbered([])

    @app.get("/exit", inline=True)
    def leave(request: Request) -> str:
        raise KeyboardInterrupt

    async def begin() -> tuple[Server, list[socket.socket]]:
        server = Server(app, port=0, access_log=False)
        await server.start(provider())
        peers = [socket.create_connection(server.addresses[0]) for _ in range(5)]
        for peer in peers:
            peer.settimeout(10)
        await answers(peers, GET % 0)
        return server, peers

    async def rest() -> list[bytes]:
        loop = asyncio.get_running_loop()
        return [await loop.run_in_executor(None, whole, peer) for peer in peers[::2]]

    loop = provider.new_loop()
    try:
        server, peers = loop.run_until_complete(begin())
        for index, peer in enumerate(peers):
            leaves = index in (1, 3)[:exits]
            peer.sendall(b"GET /exit HTTP/1.1\r\nhost: site.example\r\n\r\n" if leaves else GET % index)
        left = 0
        waiting = loop.create_task(rest())
        while not waiting.done():
            try:
                loop.run_until_complete(waiting)
            except KeyboardInterrupt:
                left += 1
        assert waiting.result() == [b"0", b"2", b"4"]
        assert 1 <= left <= exits
        for peer in peers:
            peer.close()
        loop.run_until_complete(server.finish())
        assert server._service.open == 0
    finally:
        loop.close()


# The driver


class Ground:
    """A transport on which nothing happens by itself."""

    def __init__(self) -> None:
        self.timers = TimerWheel(self.now, lambda when, callback: None)

    def now(self) -> float:
        return 0.0

    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        pass


class Polite(Stream):
    """Always gives way, and keeps what is done to it."""

    unwritten = 0

    def __init__(self) -> None:
        super().__init__(Ground())  # type: ignore[arg-type]
        self.done: list[Any] = []

    def give_way(self) -> bool:
        return not self.done

    def write(self, data: bytes | list[bytes]) -> None:
        self.done.append("written")

    def abort(self) -> None:
        self.done.append("aborted")

    def close(self) -> None:
        self.done.append("closed")

    def pause_reading(self) -> None:
        self.done.append("paused")

    def resume_reading(self) -> None:
        self.done.append("resumed")


class Scripted:
    """An application that does `act` with an exchange, and the service of its only driver."""

    def __init__(self, act: Callable[[Any], object], limits: Limits | None = None) -> None:
        self.act = act
        self.told: list[str] = []
        self.retired: list[Driver] = []
        self.stream = Polite()
        self.driver = Driver(self.stream, HttpConnection(Role.SERVER, limits=limits or Limits()), self, self)  # type: ignore[arg-type]

    def begin(self, exchange: Any) -> None:
        self.told.append("begun")
        self.act(exchange)

    def disconnected(self, exchange: Any, error: BaseException | None) -> None:
        self.told.append("disconnected")

    def retire(self, driver: Driver) -> None:
        self.retired.append(driver)


def answered(exchange: Any) -> None:
    exchange.send_message(Response(status_code=200), b"hello")
    exchange.close()


def test_a_request_whose_stream_is_lost_is_never_begun() -> None:
    scene = Scripted(answered)
    scene.driver.received(GET % 1, 0.0)
    scene.driver.lost(None)
    assert scene.told == []
    assert scene.retired == [scene.driver]


def test_a_driver_is_given_back_once() -> None:
    """Also where the stream is lost when the exchange has ended, and is not yet put away."""
    scene = Scripted(answered)
    scene.driver.received(GET % 1, 0.0)
    scene.driver.proceed(0.0)
    assert scene.told == ["begun"]
    scene.driver.lost(None)
    assert scene.told == ["begun"]
    assert scene.retired == [scene.driver]


def test_a_stream_that_is_taken_over_gives_the_driver_back_at_once() -> None:
    def take(exchange: Any) -> None:
        exchange.take_over(receiver)
        exchange.close()

    receiver = Receiver()
    scene = Scripted(take)
    scene.driver.received(GET % 1, 0.0)
    scene.driver.proceed(0.0)
    assert scene.stream.receiver is receiver
    assert scene.retired == [scene.driver]


def test_one_that_was_aborted_meanwhile_is_not_begun() -> None:
    scene = Scripted(answered)
    scene.driver.received(GET % 1, 0.0)
    scene.driver.abort()
    scene.driver.proceed(0.0)
    assert scene.told == []
    scene.driver.lost(None)
    assert scene.retired == [scene.driver]


def test_one_that_waits_takes_no_more_than_others() -> None:
    """A loop that goes on receiving is told to stop at the bound of what is pipelined."""
    scene = Scripted(answered, Limits(pipelined=1000))
    for _ in range(30):
        scene.driver.received(GET % 1, 0.0)
    assert "paused" in scene.stream.done
    assert scene.told == []


def test_the_end_of_input_begins_what_was_read_before() -> None:
    scene = Scripted(answered)
    scene.driver.received(GET % 1, 0.0)
    scene.driver.ended()
    scene.driver.proceed(0.0)
    assert scene.told == ["begun"]
    assert "written" in scene.stream.done
